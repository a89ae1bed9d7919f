//! Tables as text.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A table. The first row is the head.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The rows, with their cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
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

/// The first column to the left, the others to the right, each as wide as its widest cell.
impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = vec![0; self.rows.iter().map(Vec::len).max().unwrap_or(0)];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let mut line = String::from("  ");
            for (column, (width, cell)) in widths.iter().zip(row).enumerate() {
                let cell = if column == 0 { format!("{cell:<width$}") } else { format!("   {cell:>width$}") };
                line.push_str(&cell);
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_a_column_are_aligned() {
        let mut table = Table::new(["", "µs"]);
        table.row(["floor".into(), "3.70".into()]);
        table.row(["fanfare".into(), "14.00".into()]);
        assert_eq!(table.to_string(), "               µs\n  floor      3.70\n  fanfare   14.00\n");
    }
}
