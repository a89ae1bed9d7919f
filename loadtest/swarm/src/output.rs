//! Figures for people and for programs.

use std::{fmt, io::Write as _, path::Path};

use anyhow::Context as _;
use serde::Serialize;

use crate::{chart::Drawn, cli::OutputArgs, machine::Machine};

/// What a command found, and where.
#[derive(Debug, Clone, Serialize)]
pub struct Report<F> {
    /// The subcommand.
    pub command: &'static str,
    /// The machine it ran on.
    pub machine: Machine,
    /// What it found.
    #[serde(flatten)]
    pub figures: F,
}

impl<F: Serialize + fmt::Display + Drawn> Report<F> {
    /// Prints the figures, and draws them where that is asked for.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn deliver(&self, to: &OutputArgs) -> anyhow::Result<()> {
        if let Some(file) = &to.svg {
            let svg = self.figures.chart().svg()?;
            std::fs::write(file, svg).with_context(|| format!("{}", file.display()))?;
        }
        self.print(to.json.as_deref())
    }

    /// As a table without `json`, as JSON where that is `-`, else as a table and into that file.
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

/// A figure with so many decimals, and its unit; a dash where it was not measured.
#[must_use]
pub fn figure(value: f64, decimals: usize, unit: &str) -> String {
    if value.is_nan() { "–".to_owned() } else { format!("{value:.decimals$} {unit}") }
}

/// Bytes in MiB; a dash where they were not measured.
#[must_use]
pub fn mib(bytes: f64) -> String {
    figure(bytes / f64::from(1 << 20), 1, "MiB")
}

/// Columns as wide as they must be: the first to the left, figures to the right.
#[derive(Debug, Clone)]
pub struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table with a head.
    #[must_use]
    pub fn new(head: [&str; COLUMNS]) -> Self {
        Self { rows: vec![head.map(str::to_owned)] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells);
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        aligned(&self.rows, out)
    }
}

/// Writes rows under each other: the first column to the left, figures to the right.
pub(crate) fn aligned(rows: &[impl AsRef<[String]>], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let columns = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or(0);
    let mut widths = vec![0; columns];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.as_ref()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut line = String::from("  ");
        for (column, (width, cell)) in widths.iter().zip(row.as_ref()).enumerate() {
            let cell = if column == 0 { format!("{cell:<width$}") } else { format!("   {cell:>width$}") };
            line.push_str(&cell);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_under_each_other() {
        let mut table = Table::new(["", "µs"]);
        table.row(["floor".into(), "3.70".into()]);
        table.row(["fanfare".into(), "14.00".into()]);
        assert_eq!(table.to_string(), "               µs\n  floor      3.70\n  fanfare   14.00\n");
    }
}
