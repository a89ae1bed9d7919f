//! The trait of shapes, and the fault of a value.
//!
//! Invariants: [`Shape::parse`] reads what [`Shape::show`] writes back as the same value, unless it is masked. A secret
//! leaves a shape neither by [`Shape::show`] nor by [`Shape::found`].

use serde_json::{Value as Json, json};

use crate::config::{
    mistake::Mistake,
    place::{Given, Place, Value},
};

/// A fault of a value.
#[derive(Debug)]
pub struct Fault {
    /// Its place: in a list, that of the item.
    place: Place,
    /// The value, with secrets masked.
    found: String,
    /// The values that are allowed.
    allowed: String,
    /// How to mend it.
    pub(super) hint: Option<String>,
}

impl Fault {
    /// The mistake that it is at this key.
    pub(in crate::config) fn at(self, key: &str) -> Mistake {
        let Self { place, found, allowed, hint } = self;
        Mistake { place, key: key.into(), found, allowed, hint }
    }
}

/// The form of a value.
pub trait Shape {
    /// The value.
    type Value: PartialEq;

    /// The values that are allowed, as the end of a sentence.
    fn allowed(&self) -> String;

    /// The values that the file may have, as JSON Schema. [`Shape::allowed`] says the rest.
    fn schema(&self) -> Json {
        json!({"type": "string"})
    }

    /// Reads a value.
    ///
    /// # Errors
    /// The faults of the value.
    fn parse(&self, given: &Given) -> Result<Self::Value, Vec<Fault>>;

    /// The value as in the file, with secrets masked.
    fn show(&self, value: &Self::Value) -> String;

    /// Whether two values are the same, whatever their sources.
    fn same(&self, one: &Self::Value, other: &Self::Value) -> bool {
        one == other
    }

    /// The part of a value that could not be read which a mistake may show.
    fn found(&self, value: &Value) -> String {
        value.to_string()
    }

    /// How to mend a value that is not TOML: perhaps a word as in the environment was meant.
    fn advice(&self, text: &str) -> Option<String> {
        let text = text.trim_matches(['"', '\'']);
        let word = Given { value: Value::Word(text.into()), place: Place::Default };
        match self.parse(&word) {
            Ok(_) => Some("in quotes".into()),
            Err(faults) => faults.into_iter().find_map(|fault| fault.hint),
        }
    }

    /// The fault of a value.
    ///
    /// # Errors
    /// Always.
    fn fault<T>(&self, given: &Given, hint: Option<String>) -> Result<T, Vec<Fault>> {
        let (place, found) = (given.place.clone(), self.found(&given.value));
        Err(vec![Fault { place, found, allowed: self.allowed(), hint }])
    }
}
