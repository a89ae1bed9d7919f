//! Switches, numbers, sizes and durations.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{
    contract::{Fault, Shape},
    text::quoted,
    units::{parse_duration, parse_size, show_duration, show_size},
};
use crate::config::place::{Given, Value};

/// `true` or `false`.
pub(in crate::config) struct Switch;

impl Shape for Switch {
    type Value = bool;

    fn allowed(&self) -> String {
        "true or false".into()
    }

    fn schema(&self) -> Json {
        json!({"type": "boolean"})
    }

    fn parse(&self, given: &Given) -> Result<bool, Vec<Fault>> {
        match &given.value {
            Value::Boolean(truth) => Ok(*truth),
            Value::Word(word) => match word.parse() {
                Ok(truth) => Ok(truth),
                Err(_) => self.fault(given, meant_by(word).map(|truth| format!("write {truth}"))),
            },
            Value::Text(text) => {
                self.fault(given, meant_by(text).map(|truth| format!("without quotes: {truth}")))
            }
            _ => self.fault(given, None),
        }
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// Whether a word means true or false.
fn meant_by(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// A number without a unit.
pub(in crate::config) struct Count {
    pub(in crate::config) min: usize,
    pub(in crate::config) max: usize,
}

impl Shape for Count {
    type Value = usize;

    fn allowed(&self) -> String {
        format!("a whole number from {} to {}", self.min, self.max)
    }

    fn schema(&self) -> Json {
        json!({"type": "integer", "minimum": self.min, "maximum": self.max})
    }

    fn parse(&self, given: &Given) -> Result<usize, Vec<Fault>> {
        let number = match &given.value {
            Value::Integer(number) if *number < 0 => {
                return self.fault(given, Some(format!("the smallest is {}", self.min)));
            }
            Value::Integer(number) => usize::try_from(*number).ok(),
            Value::Word(word) => word.parse().ok(),
            Value::Text(text) if text.parse::<usize>().is_ok() => {
                return self.fault(given, Some(format!("without quotes: {text}")));
            }
            _ => None,
        };
        bounded(number, self.min, self.max, |bound| bound.to_string()).or_else(|hint| self.fault(given, hint))
    }

    fn show(&self, value: &usize) -> String {
        value.to_string()
    }
}

const SIZE_UNITS: &str = "a whole number and B, KiB, MiB or GiB (1024), or KB, MB or GB (1000)";
const DURATION_UNITS: &str = "a whole number and ms, s, m or h";

/// A number of bytes.
pub(in crate::config) struct Size {
    pub(in crate::config) min: usize,
    pub(in crate::config) max: usize,
}

impl Shape for Size {
    type Value = usize;

    fn allowed(&self) -> String {
        let [min, max] = [self.min, self.max].map(show_size);
        format!("a size from {min} to {max}, as \"64KiB\", \"1MiB\" or a number of bytes")
    }

    fn schema(&self) -> Json {
        let bytes = json!({"type": "integer", "minimum": self.min, "maximum": self.max});
        json!({"anyOf": [bytes, {"type": "string", "pattern": "^[0-9]+ *([KMG]i?)?B?$"}]})
    }

    fn parse(&self, given: &Given) -> Result<usize, Vec<Fault>> {
        let bytes = match &given.value {
            Value::Integer(bytes) => usize::try_from(*bytes).ok(),
            Value::Text(text) | Value::Word(text) => parse_size(text),
            _ => None,
        };
        bounded(bytes, self.min, self.max, show_size)
            .or_else(|hint| self.fault(given, Some(hint.unwrap_or_else(|| SIZE_UNITS.into()))))
    }

    fn show(&self, value: &usize) -> String {
        quoted(&show_size(*value))
    }
}

/// A length of time.
pub(in crate::config) struct Span {
    pub(in crate::config) min: Duration,
    pub(in crate::config) max: Duration,
}

impl Shape for Span {
    type Value = Duration;

    fn allowed(&self) -> String {
        let [min, max] = [self.min, self.max].map(show_duration);
        format!("a duration from {min} to {max}, as \"5s\", \"250ms\" or \"1m 30s\"")
    }

    fn parse(&self, given: &Given) -> Result<Duration, Vec<Fault>> {
        let duration = match &given.value {
            Value::Text(text) | Value::Word(text) => parse_duration(text),
            _ => None,
        };
        let number = match &given.value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Text(text) | Value::Word(text) => text.parse().ok(),
            _ => None,
        };
        let unit = || number.map(|number| format!("with a unit: \"{number}s\" or \"{number}ms\""));
        bounded(duration, self.min, self.max, show_duration)
            .or_else(|hint| self.fault(given, hint.or_else(unit).or_else(|| Some(DURATION_UNITS.into()))))
    }

    fn show(&self, value: &Duration) -> String {
        quoted(&show_duration(*value))
    }
}

/// A value within two bounds, or the hint for one beyond them.
fn bounded<T: PartialOrd>(
    value: Option<T>,
    min: T,
    max: T,
    show: impl Fn(T) -> String,
) -> Result<T, Option<String>> {
    match value {
        Some(value) if value < min => Err(Some(format!("the smallest is {}", show(min)))),
        Some(value) if value > max => Err(Some(format!("the largest is {}", show(max)))),
        value => value.ok_or(None),
    }
}
