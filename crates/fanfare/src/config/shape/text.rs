//! Words of a list, and texts that other code reads.

use serde_json::{Value as Json, json};

use super::contract::{Fault, Shape};
use crate::config::{
    mistake::nearest,
    place::{Given, Value},
};

/// A word of a few.
pub(in crate::config) struct Choice<T: 'static> {
    pub(in crate::config) words: &'static [(&'static str, T)],
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

/// A text that other code reads.
pub(in crate::config) struct Text<T> {
    pub(in crate::config) allowed: &'static str,
    /// Reads it; an error is a hint.
    pub(in crate::config) parse: fn(&str) -> Result<T, String>,
    /// Shows it, with secrets masked.
    pub(in crate::config) show: fn(&T) -> String,
    /// The part of a wrong text which a mistake may show.
    pub(in crate::config) found: fn(&str) -> String,
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

/// A TOML basic string.
pub(in crate::config) fn quoted(text: &str) -> String {
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
