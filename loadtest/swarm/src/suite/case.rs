//! The result of a case of the suite: a table, charts and figures with budgets, the same for all cases.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::budget::Judged;
use crate::{chart::Chart, machine::Machine, table::Table};

/// A case, with the contents of its file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    /// The name of the case, on the command line and of its file.
    pub name: String,
    /// The title.
    pub title: String,
    /// The way it was measured, in some sentences.
    pub about: String,
    /// The command that measures it again.
    pub command: String,
    /// The machine.
    pub machine: Machine,
    /// Figures beside their floors and budgets.
    pub judged: Vec<Judged>,
    /// The table.
    pub grid: Table,
    /// The charts.
    pub charts: Vec<Chart>,
    /// All measured figures; left out of the files beside the page.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub raw: serde_json::Value,
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n\n{}", self.title, self.grid)?;
        if self.judged.is_empty() {
            return Ok(());
        }
        write!(out, "{}", Judged::table(&self.judged))
    }
}

/// The part of a case that differs between cases.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) title: &'static str,
    pub(super) about: String,
    pub(super) judged: Vec<Judged>,
    pub(super) grid: Table,
    pub(super) charts: Vec<Chart>,
    pub(super) raw: serde_json::Value,
}
