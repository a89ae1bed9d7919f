//! What one case of the suite found: enough for a table, a figure and a verdict, without knowing the case.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::budget::Judged;
use crate::{machine::Machine, output::aligned};

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
    /// All figures as they were measured.
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

/// Bars in groups, each of the series once in a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// The unit of its values.
    pub unit: String,
    /// What the bars of a group are, in order.
    pub series: Vec<String>,
    /// The groups: a name, and a value for each of the series.
    pub groups: Vec<(String, Vec<f64>)>,
}

impl Chart {
    /// A chart without groups.
    #[must_use]
    pub fn new<const SERIES: usize>(title: &str, unit: &str, series: [&str; SERIES]) -> Self {
        Self {
            title: title.to_owned(),
            unit: unit.to_owned(),
            series: series.map(str::to_owned).to_vec(),
            groups: Vec::new(),
        }
    }

    /// Adds a group.
    pub fn group<const SERIES: usize>(&mut self, name: impl Into<String>, values: [f64; SERIES]) {
        self.groups.push((name.into(), values.to_vec()));
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
