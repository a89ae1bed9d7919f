//! Writes `docs/performance.md` from the files of `suite`: a table and charts for each case, between its markers. The
//! figures are beside the page as JSON, and `tests/documents.rs` compares other documents with them.

mod page;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum as _};

use crate::suite::{Case, Which};

/// The flags of `swarm report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// Files of `suite`
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The page; its charts and its JSON go into a directory of the same name beside it
    #[arg(long, value_name = "FILE", default_value = "docs/performance.md")]
    pub page: PathBuf,
}

/// Draws the charts and writes the tables into the page. A case without markers is added at the end. The table of budgets
/// has the figures of all cases on the page.
///
/// # Errors
/// A file cannot be read or written, or is not a file of `suite`.
pub fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let mut page = match std::fs::read_to_string(&args.page) {
        Ok(page) => page,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "# Performance\n".to_owned(),
        Err(error) => return Err(error).with_context(|| format!("{}", args.page.display())),
    };
    let figures = args.page.with_extension("");
    std::fs::create_dir_all(&figures).with_context(|| format!("{}", figures.display()))?;
    let folder = figures.file_name().context("the page is not a file")?.to_string_lossy().into_owned();
    for file in &args.files {
        let case = Case { raw: serde_json::Value::Null, ..read(file)? };
        for (number, chart) in case.charts.iter().enumerate() {
            write(&figures.join(page::figure(&case, number)), &chart.svg()?)?;
        }
        let json = serde_json::to_string_pretty(&case)? + "\n";
        write(&figures.join(format!("{}.json", case.name)), &json)?;
        page = page::with_section(&page, &case.name, &page::section(&case, &folder));
    }
    page = page::with_section(&page, "budgets", &page::budgets(&all(&figures)?));
    write(&args.page, &page)
}

/// The cases whose figures are in this folder.
fn all(figures: &Path) -> anyhow::Result<Vec<Case>> {
    let files = Which::value_variants().iter().map(|which| figures.join(format!("{}.json", which.name())));
    files.filter(|file| file.exists()).map(|file| read(&file)).collect()
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("{}", file.display()))
}

fn read(file: &Path) -> anyhow::Result<Case> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not a file of swarm suite", file.display()))
}
