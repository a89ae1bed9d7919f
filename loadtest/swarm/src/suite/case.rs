//! What one case of the suite found: enough for a table, a figure and a verdict, without knowing the case.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::budget::Judged;
use crate::{chart::Chart, machine::Machine, output::aligned};

/// One case, as it is written to a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    /// Its name on the command line, and of its file.
    pub name: String,
    /// What it is about, in some words.
    pub title: String,
    /// How it was measured, in some sentences.
    pub about: String,
    /// The command that measures it again.
    pub command: String,
    /// The machine it ran on.
    pub machine: Machine,
    /// Figures beside their floors and budgets.
    pub judged: Vec<Judged>,
    /// Everything that is worth reading.
    pub grid: Grid,
    /// What is drawn.
    pub charts: Vec<Chart>,
    /// All figures as they were measured; beside the page they are left out.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub raw: serde_json::Value,
}

/// A table of any width; the first row is its head.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Row by row.
    pub rows: Vec<Vec<String>>,
}

impl Grid {
    /// A table with a head.
    #[must_use]
    pub fn new<const COLUMNS: usize>(head: [&str; COLUMNS]) -> Self {
        Self { rows: vec![head.map(str::to_owned).to_vec()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl Into<Vec<String>>) {
        self.rows.push(cells.into());
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        aligned(&self.rows, out)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n\n{}", self.title, self.grid)?;
        if self.judged.is_empty() {
            return Ok(());
        }
        write!(out, "{}", Judged::grid(&self.judged))
    }
}
