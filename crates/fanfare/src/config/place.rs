//! Values as they were given, and where.

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
    /// Nobody said otherwise.
    Default,
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

/// A value, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub place: Place,
    /// False where a mistake stands in for the value: rules about several keys leave it out, so that one
    /// mistake is reported once.
    pub sound: bool,
}

impl<T> Sourced<T> {
    /// A value that nobody gave.
    pub(super) fn by_default(value: T) -> Self {
        Self { value, place: Place::Default, sound: true }
    }
}

/// A value before anybody looked at what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// What was written.
    pub value: Value,
    /// Where.
    pub place: Place,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string of the file.
    Text(String),
    /// A word of the environment or the command line, whose type is not known.
    Word(String),
    /// An integer of the file.
    Integer(i64),
    /// A boolean of the file, or a flag that was set.
    Boolean(bool),
    /// A list of the file, or a flag that was repeated.
    List(Vec<Given>),
    /// Anything else, as it stands in the file.
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
