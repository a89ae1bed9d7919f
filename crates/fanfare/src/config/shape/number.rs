//! What may stand at a key: each shape reads a value, shows it, and says what is allowed.
//!
//! Invariants: what [`Shape::show`] writes, [`Shape::parse`] reads back as the same value, unless it is
//! masked. A secret leaves a shape neither by [`Shape::show`] nor by [`Shape::found`].

use std::time::Duration;

use serde_json::{Value as Json, json};
use toml::de::{DeTable, DeValue};

use super::{
    mistake::nearest,
    place::{Given, Place, Sourced, Value},
    units::{parse_duration, parse_size, show_duration, show_size},
};

/// What is wrong with a value.
#[derive(Debug)]
pub struct Fault {
    /// Where, exactly: the item of a list.
    pub(super) place: Place,
    /// What was found, with secrets masked.
    pub(super) found: String,
    /// What may stand there.
    pub(super) allowed: String,
    /// How to mend it.
    pub(super) hint: Option<String>,
}

/// The form of a value.
pub trait Shape {
    /// The value.
    type Value: PartialEq;

    /// What may stand there, as the end of a sentence.
    fn allowed(&self) -> String;

    /// What may stand there in the file, as JSON Schema. What it does not say is said by [`Shape::allowed`].
    fn schema(&self) -> Json {
        json!({"type": "string"})
    }

    /// Reads a value.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    fn parse(&self, given: &Given) -> Result<Self::Value, Vec<Fault>>;

    /// The value as the file would have it, with secrets masked.
    fn show(&self, value: &Self::Value) -> String;

    /// Whether two values are one, wherever they come from.
    fn same(&self, one: &Self::Value, other: &Self::Value) -> bool {
        one == other
    }

    /// What a mistake may show of a value that could not be read.
    fn found(&self, value: &Value) -> String {
        value.to_string()
    }

    /// How to mend a value that is no TOML: a word of the environment may be what was meant.
    fn advice(&self, text: &str) -> Option<String> {
        let text = text.trim_matches(['"', '\'']);
        let word = Given { value: Value::Word(text.into()), place: Place::Default };
        match self.parse(&word) {
            Ok(_) => Some("in quotes".into()),
            Err(faults) => faults.into_iter().find_map(|fault| fault.hint),
        }
    }

    /// The value cannot be taken.
    ///
    /// # Errors
    /// Always.
    fn fault<T>(&self, given: &Given, hint: Option<String>) -> Result<T, Vec<Fault>> {
        let (place, found) = (given.place.clone(), self.found(&given.value));
        Err(vec![Fault { place, found, allowed: self.allowed(), hint }])
    }
}

/// `true` or `false`.
pub(super) struct Switch;

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
pub(super) struct Count {
    pub(super) min: usize,
    pub(super) max: usize,
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
pub(super) struct Size {
    pub(super) min: usize,
    pub(super) max: usize,
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
pub(super) struct Span {
    pub(super) min: Duration,
    pub(super) max: Duration,
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

/// A value between two bounds, or what to say to one beyond them.
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

/// One of a few words.
pub(super) struct Choice<T: 'static> {
    pub(super) words: &'static [(&'static str, T)],
}

impl<T: Copy + PartialEq> Shape for Choice<T> {
    type Value = T;

    fn allowed(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|(word, _)| quoted(word)).collect();
        match words.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => words.concat(),
        }
    }

    fn schema(&self) -> Json {
        let words: Vec<&str> = self.words.iter().map(|(word, _)| *word).collect();
        json!({"enum": words})
    }

    fn parse(&self, given: &Given) -> Result<T, Vec<Fault>> {
        let (Value::Text(text) | Value::Word(text)) = &given.value else { return self.fault(given, None) };
        if let Some((_, value)) = self.words.iter().find(|(word, _)| word == text) {
            return Ok(*value);
        }
        let meant = nearest(text, self.words.iter().map(|(word, _)| *word));
        self.fault(given, meant.map(|word| format!("did you mean {word:?}?")))
    }

    fn show(&self, value: &T) -> String {
        quoted(self.words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word))
    }
}

/// A text that something else reads.
pub(super) struct Text<T> {
    pub(super) allowed: &'static str,
    /// Reads it, or says how to mend it.
    pub(super) parse: fn(&str) -> Result<T, String>,
    /// Shows it, with secrets masked.
    pub(super) show: fn(&T) -> String,
    /// What may be shown of a text that could not be read.
    pub(super) found: fn(&str) -> String,
}

impl<T: PartialEq> Shape for Text<T> {
    type Value = T;

    fn allowed(&self) -> String {
        self.allowed.into()
    }

    fn parse(&self, given: &Given) -> Result<T, Vec<Fault>> {
        match &given.value {
            Value::Text(text) | Value::Word(text) => {
                (self.parse)(text).or_else(|hint| self.fault(given, Some(hint)))
            }
            Value::List(_) => self.fault(given, Some("one, not a list".into())),
            _ => self.fault(given, Some("in quotes".into())),
        }
    }

    fn show(&self, value: &T) -> String {
        quoted(&(self.show)(value))
    }

    fn found(&self, value: &Value) -> String {
        match value {
            Value::Text(text) | Value::Word(text) => quoted(&(self.found)(text)),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(|item| self.found(&item.value)).collect();
                format!("[{}]", items.join(", "))
            }
            other => (self.found)(&other.to_string()),
        }
    }
}

/// A list: `["a", "b"]` in the file, `a,b` elsewhere, or as in the file where an item has a comma.
pub(super) struct List<S> {
    /// Each of them.
    pub(super) item: S,
    /// At least so many.
    pub(super) min: usize,
}

impl<S: Shape> Shape for List<S> {
    type Value = Vec<Sourced<S::Value>>;

    fn allowed(&self) -> String {
        format!("a list, each of it {}", self.item.allowed())
    }

    fn schema(&self) -> Json {
        json!({"type": "array", "items": self.item.schema(), "minItems": self.min})
    }

    fn parse(&self, given: &Given) -> Result<Self::Value, Vec<Fault>> {
        let words: Vec<Given>;
        let items = match &given.value {
            Value::List(items) => items,
            Value::Word(text) => {
                let word = |word: String| Given { value: Value::Word(word), place: given.place.clone() };
                words = items_of(text).into_iter().map(word).collect();
                &words
            }
            other => return self.fault(given, Some(format!("in brackets: [{}]", self.item.found(other)))),
        };
        if items.len() < self.min {
            return self.fault(given, Some(format!("at least {}", self.min)));
        }
        let mut values = Vec::with_capacity(items.len());
        let mut faults = Vec::new();
        for item in items {
            match self.item.parse(item) {
                Ok(value) => values.push(Sourced { value, place: item.place.clone(), sound: true }),
                Err(wrong) => faults.extend(wrong),
            }
        }
        if faults.is_empty() { Ok(values) } else { Err(faults) }
    }

    fn show(&self, value: &Self::Value) -> String {
        let items: Vec<String> = value.iter().map(|item| self.item.show(&item.value)).collect();
        format!("[{}]", items.join(", "))
    }

    fn same(&self, one: &Self::Value, other: &Self::Value) -> bool {
        let mut pairs = one.iter().zip(other);
        one.len() == other.len() && pairs.all(|(one, other)| self.item.same(&one.value, &other.value))
    }

    fn found(&self, value: &Value) -> String {
        self.item.found(value)
    }
}

/// The items of a list that stands in a word.
fn items_of(text: &str) -> Vec<String> {
    array(text).unwrap_or_else(|| text.split(',').map(|item| item.trim().to_owned()).collect())
}

/// The texts of a TOML array. An IPv6 address begins with a bracket too, and is not one.
fn array(text: &str) -> Option<Vec<String>> {
    let line = format!("items = {text}");
    let table = DeTable::parse(&line).ok()?.into_inner();
    let DeValue::Array(items) = table.get("items").filter(|_| table.len() == 1)?.get_ref() else {
        return None;
    };
    items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
}

/// A TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    // TOML's escapes are Rust's, but for `\u{…}` and `\'`.
    let escaped = text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => escaped.push(c),
        }
        escaped
    });
    format!("\"{escaped}\"")
}
