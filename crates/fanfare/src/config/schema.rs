//! A JSON Schema of the configuration file, as `fanfare config --schema` prints it.
//!
//! Invariant: a file that `fanfare check` accepts is valid by the schema. The reverse does not hold: only `fanfare
//! check` judges rules between keys, addresses, URLs and key files.

use serde_json::{Map, Value, json};

use super::{
    declare::Key,
    raw::{Raw, RawNamespace},
};

/// A table of the file: its keys and the tables in it.
#[derive(Default)]
struct Table(Map<String, Value>);

impl Table {
    /// Adds a key below these sections.
    fn add<'p>(&mut self, mut path: impl Iterator<Item = &'p str>, name: &str, schema: Value) {
        let Some(section) = path.next() else {
            self.0.insert(name.into(), schema);
            return;
        };
        let inner = self.0.remove(section).and_then(|schema| match schema {
            Value::Object(mut schema) => schema.remove("properties"),
            _ => None,
        });
        let mut inner = match inner {
            Some(Value::Object(properties)) => Self(properties),
            _ => Self::default(),
        };
        inner.add(path, name, schema);
        self.0.insert(section.into(), inner.into_schema());
    }

    fn into_schema(self) -> Value {
        json!({"type": "object", "properties": self.0, "additionalProperties": false})
    }
}

/// The schema (draft 2020-12).
#[must_use]
pub fn of_the_file() -> Value {
    let (mut file, mut namespace) = (Table::default(), Table::default());
    for key in Raw::KEYS {
        let (section, name) = key.section_and_name();
        file.add(section.split('.').filter(|part| !part.is_empty()), name, of(key));
    }
    for key in RawNamespace::KEYS {
        namespace.add([].into_iter(), key.section_and_name().1, of(key));
    }
    file.add([].into_iter(), "namespace", json!({"type": "array", "items": namespace.into_schema()}));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of a Fanfare node",
        "type": "object",
        "properties": file.0,
        "additionalProperties": false,
    })
}

/// The schema of a key, with its meaning.
fn of(key: &Key) -> Value {
    let about: Vec<&str> = key.about.lines().map(str::trim).collect();
    let description = format!("{}\n\nAllowed: {}.", about.join(" "), (key.allowed)());
    match (key.schema)() {
        Value::Object(mut schema) => {
            schema.insert("description".into(), description.into());
            schema.into()
        }
        schema => schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_describes_every_key() {
        let schema = of_the_file();
        let file = |key: &Key| format!("/properties/{}", key.path.replace('.', "/properties/"));
        let item = |key: &Key| format!("/properties/namespace/items/properties/{}", key.section_and_name().1);
        let keys = Raw::KEYS.iter().map(|key| (key, file(key)));
        let keys = keys.chain(RawNamespace::KEYS.iter().map(|key| (key, item(key))));
        for (key, pointer) in keys {
            let found = schema.pointer(&pointer).unwrap_or_else(|| panic!("{} is missing", key.path));
            let is_typed = ["type", "enum", "anyOf"].iter().any(|word| found.get(word).is_some());
            assert!(is_typed && found["description"].as_str().unwrap().len() > 20, "{}: {found}", key.path);
        }
    }
}
