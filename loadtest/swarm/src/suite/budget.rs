//! A figure beside its budget.

use serde::{Deserialize, Serialize};

use crate::{number::short, table::Table};

/// The time of a bare `send` on the machine of the absolute budgets, in microseconds.
pub const REFERENCE_SEND: f64 = 3.7;

/// The bound of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// At most its floor times this.
    TimesFloor(f64),
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

/// A figure with its budget, and with its floor if there is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The figure's name.
    pub what: String,
    /// The unit.
    pub unit: String,
    /// The value.
    pub figure: f64,
    /// The floor of the same run, in the same unit.
    pub floor: Option<f64>,
    /// The ratio of the figure to its floor.
    pub ratio: Option<f64>,
    /// The bound.
    pub budget: Budget,
}

impl Judged {
    /// A figure with a bound relative to its floor.
    #[must_use]
    pub fn times(what: impl Into<String>, unit: &str, figure: f64, floor: f64, budget: f64) -> Self {
        let (what, unit) = (what.into(), unit.to_owned());
        let ratio = Some(figure / floor);
        Self { what, unit, figure, floor: Some(floor), ratio, budget: Budget::TimesFloor(budget) }
    }

    /// A figure with a bound of its own.
    #[must_use]
    pub fn bound(what: impl Into<String>, unit: &str, figure: f64, budget: Budget) -> Self {
        Self { what: what.into(), unit: unit.to_owned(), figure, floor: None, ratio: None, budget }
    }

    /// Whether the figure is within its budget. NaN never is.
    #[must_use]
    pub fn is_within(&self) -> bool {
        match self.budget {
            Budget::TimesFloor(most) => self.ratio.is_some_and(|ratio| ratio <= most),
            Budget::AtMost(most) => self.figure <= most,
            Budget::AtLeast(least) => self.figure >= least,
        }
    }

    /// A table of the figures.
    #[must_use]
    pub fn table(all: &[Self]) -> Table {
        let mut grid = Table::new(["figure", "measured", "floor", "ratio", "budget", ""]);
        for judged in all {
            let unit = &judged.unit;
            let with_unit = |value: f64| format!("{} {unit}", short(value)).trim_end().to_owned();
            let budget = match judged.budget {
                Budget::TimesFloor(most) => format!("≤ {most:.2} ×"),
                Budget::AtMost(most) => format!("≤ {}", with_unit(most)),
                Budget::AtLeast(least) => format!("≥ {}", with_unit(least)),
            };
            grid.row([
                judged.what.clone(),
                with_unit(judged.figure),
                judged.floor.map(with_unit).unwrap_or_default(),
                judged.ratio.map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default(),
                budget,
                if judged.is_within() { "within".to_owned() } else { "over".to_owned() },
            ]);
        }
        grid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_within_up_to_its_budget() {
        for (figure, budget, within) in [
            (4.6, Budget::TimesFloor(1.15), true),
            (4.7, Budget::TimesFloor(1.15), false),
            (1_024.0, Budget::AtMost(1_024.0), true),
            (1_025.0, Budget::AtMost(1_024.0), false),
            (2.0, Budget::AtLeast(2.0), true),
            (1.9, Budget::AtLeast(2.0), false),
            (f64::NAN, Budget::AtMost(1.0), false),
            (f64::NAN, Budget::AtLeast(1.0), false),
        ] {
            let judged = Judged { ratio: Some(figure / 4.0), ..Judged::bound("", "", figure, budget) };
            assert_eq!(judged.is_within(), within, "{judged:?}");
        }
        assert!(!Judged::bound("", "", 1.0, Budget::TimesFloor(2.0)).is_within(), "without a floor");
    }
}
