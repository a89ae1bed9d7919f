//! Figures for people and for programs: a table, JSON, a chart.

use std::{
    fmt,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use crate::{chart::Drawn, machine::Machine};

/// The flags for figures.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// Write JSON to this file, beside the table; without a file, to the standard output instead of the table
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub json: Option<PathBuf>,
    /// Draw the figures to this file, as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// The figures of a command, and the machine that they were measured on.
#[derive(Debug, Clone, Serialize)]
pub struct Report<F> {
    /// The subcommand.
    pub command: &'static str,
    /// The machine.
    pub machine: Machine,
    /// The figures.
    #[serde(flatten)]
    pub figures: F,
}

impl<F: Serialize + fmt::Display + Drawn> Report<F> {
    /// Prints the figures, and draws them if the flags say so.
    ///
    /// # Errors
    /// The figures cannot be written.
    pub fn deliver(&self, to: &OutputArgs) -> anyhow::Result<()> {
        if let Some(file) = &to.svg {
            let svg = self.figures.chart().svg()?;
            std::fs::write(file, svg).with_context(|| format!("{}", file.display()))?;
        }
        self.print(to.json.as_deref())
    }

    /// Prints a table without `json`; JSON for `-`; else the table, and JSON into that file.
    fn print(&self, json: Option<&Path>) -> anyhow::Result<()> {
        let mut stdout = std::io::stdout();
        let table = || format!("{}\n\n{}", self.machine, self.figures);
        let Some(file) = json else { return Ok(stdout.write_all(table().as_bytes())?) };
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        if file == Path::new("-") {
            return Ok(stdout.write_all(text.as_bytes())?);
        }
        std::fs::write(file, text).with_context(|| format!("{}", file.display()))?;
        Ok(stdout.write_all(table().as_bytes())?)
    }
}
