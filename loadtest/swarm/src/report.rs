//! `docs/performance.md` from what `suite` wrote: a table and figures for each case, between its markers.

mod page;
mod svg;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::suite::Case;

/// The flags of `swarm report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// Files that `suite` wrote
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The page; its figures go into a directory beside it that is called like it
    #[arg(long, value_name = "FILE", default_value = "docs/performance.md")]
    pub page: PathBuf,
}

/// Draws the figures and writes the tables into the page. A case that has no markers there is added at its end.
///
/// # Errors
/// A file cannot be read or written, or is none of `suite`'s.
pub fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let mut page = match std::fs::read_to_string(&args.page) {
        Ok(page) => page,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "# Performance\n".to_owned(),
        Err(error) => return Err(error).with_context(|| format!("{}", args.page.display())),
    };
    let figures = args.page.with_extension("");
    std::fs::create_dir_all(&figures).with_context(|| format!("{}", figures.display()))?;
    let folder = figures.file_name().context("the page has no name")?.to_string_lossy().into_owned();
    let mut cases = Vec::new();
    for file in &args.files {
        let case = read(file)?;
        for (number, chart) in case.charts.iter().enumerate() {
            let file = figures.join(page::figure(&case, number));
            std::fs::write(&file, svg::bars(chart)).with_context(|| format!("{}", file.display()))?;
        }
        page = page::with_section(&page, &case.name, &page::section(&case, &folder));
        cases.push(case);
    }
    page = page::with_section(&page, "budgets", &page::budgets(&cases));
    std::fs::write(&args.page, page).with_context(|| format!("{}", args.page.display()))
}

fn read(file: &Path) -> anyhow::Result<Case> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not of swarm suite", file.display()))
}
