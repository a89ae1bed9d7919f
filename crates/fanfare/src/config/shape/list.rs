//! Lists of values of one shape.

use serde_json::{Value as Json, json};
use toml::de::{DeTable, DeValue};

use super::contract::{Fault, Shape};
use crate::config::place::{Given, Sourced, Value};

/// A list: `["a", "b"]` in the file, `a,b` elsewhere, or as in the file where an item has a comma.
pub(in crate::config) struct List<S> {
    /// The shape of an item.
    pub(in crate::config) item: S,
    /// The fewest items.
    pub(in crate::config) min: usize,
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
            Value::Other(_) => return self.fault(given, None),
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

/// The items of a list that is written as a word.
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
