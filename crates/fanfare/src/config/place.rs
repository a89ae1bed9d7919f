//! Values as they were given, and their places.

use std::{fmt, sync::Arc};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of the file.
    File {
        /// The path, as it was given.
        path: Arc<str>,
        /// Counted from 1.
        line: usize,
    },
    /// A variable of the environment, by its name.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
    /// The default.
    Default,
}

impl Place {
    /// The line of the byte `at` of the text of the file at `path`.
    pub(super) fn in_file(path: &Arc<str>, text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        Self::File { path: Arc::clone(path), line: 1 + before.matches('\n').count() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub place: Place,
    /// Whether it is the given value, and not a default in place of a mistake. Rules about several keys skip values
    /// that are not, so that one mistake is reported once.
    pub sound: bool,
}

impl<T> Sourced<T> {
    /// A default.
    pub(super) fn by_default(value: T) -> Self {
        Self { value, place: Place::Default, sound: true }
    }
}

/// A value before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The value.
    pub value: Value,
    /// Its place.
    pub place: Place,
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string in the file.
    Text(String),
    /// A word in the environment or on the command line, of unknown type.
    Word(String),
    /// An integer in the file.
    Integer(i64),
    /// A boolean in the file, or a flag that was set.
    Boolean(bool),
    /// A list in the file, or a flag that was repeated.
    List(Vec<Given>),
    /// Anything else, as written in the file.
    Other(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Word(text) => write!(f, "{text:?}"),
            Self::Integer(number) => number.fmt(f),
            Self::Boolean(truth) => truth.fmt(f),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(|item| item.value.to_string()).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}
