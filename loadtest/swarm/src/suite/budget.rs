//! A figure beside what it may be.

use serde::{Deserialize, Serialize};

use super::Grid;

/// What a bare `send` took where the absolute budgets were made, in microseconds.
pub const REFERENCE_SEND: f64 = 3.7;

/// What a figure may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// At most so many times its floor.
    TimesFloor(f64),
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

/// A figure, its floor where it has one, and its budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// What it is.
    pub what: String,
    /// Its unit.
    pub unit: String,
    /// The figure.
    pub figure: f64,
    /// The floor of the same run, in the same unit.
    pub floor: Option<f64>,
    /// The figure to its floor.
    pub ratio: Option<f64>,
    /// What it may be.
    pub budget: Budget,
}

impl Judged {
    /// A figure that is held to its floor.
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

    /// Whether it is within its budget; what is no number is not.
    #[must_use]
    pub fn is_within(&self) -> bool {
        match self.budget {
            Budget::TimesFloor(most) => self.ratio.is_some_and(|ratio| ratio <= most),
            Budget::AtMost(most) => self.figure <= most,
            Budget::AtLeast(least) => self.figure >= least,
        }
    }

    /// All of them in a table.
    #[must_use]
    pub fn grid(all: &[Self]) -> Grid {
        let mut grid = Grid::new(["figure", "measured", "floor", "ratio", "budget", ""]);
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

/// Three digits that count, and thousands apart; a dash where nothing was measured.
#[must_use]
pub fn short(value: f64) -> String {
    if value.is_nan() {
        return "–".to_owned();
    }
    let decimals = match value.abs() {
        0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.find('.').map_or((text.as_str(), ""), |at| text.split_at(at));
    let digits = whole.len();
    let mut apart = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (digits - place).is_multiple_of(3) && digit.is_ascii_digit() && apart != "-" {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_within_up_to_its_budget_and_what_is_no_number_never() {
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

    #[test]
    fn figures_have_three_digits_that_count() {
        for (value, text) in [
            (0.0, "0"),
            (0.123_4, "0.123"),
            (3.456, "3.46"),
            (45.67, "45.7"),
            (678.9, "679"),
            (2_000_000.0, "2,000,000"),
            (-1_234.0, "-1,234"),
            (-123.0, "-123"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
