//! A JSON Schema of the configuration file, as `fanfare config --schema` prints it, from the same table as all else.
//!
//! Invariant: a file that `fanfare check` accepts is valid by it. The reverse does not hold: rules between keys, and texts
//! that something else reads (addresses, URLs, key files), are judged by `fanfare check`.

use serde_json::{Value, json};

use super::{
    declare::Key,
    raw::{Raw, RawNamespace},
};

/// The schema (draft 2020-12).
#[must_use]
pub fn of_the_file() -> Value {
    let mut schema = table(Raw::KEYS);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        schema.insert("title".into(), json!("The configuration of a Fanfare node"));
    }
    let namespaces = table(RawNamespace::KEYS)["properties"]["namespace"].clone();
    schema["properties"]["namespace"] = json!({"type": "array", "items": namespaces});
    schema
}

fn table(keys: &[Key]) -> Value {
    let mut table = empty();
    for key in keys {
        let (section, name) = key.section_and_name();
        let mut at = &mut table;
        for part in section.split('.').filter(|part| !part.is_empty()) {
            at = &mut at["properties"][part];
            if at.is_null() {
                *at = empty();
            }
        }
        at["properties"][name] = of(key);
    }
    table
}

fn empty() -> Value {
    json!({"type": "object", "properties": {}, "additionalProperties": false})
}

fn of(key: &Key) -> Value {
    let mut schema = (key.schema)();
    let about: Vec<&str> = key.about.lines().map(str::trim).collect();
    let allowed = (key.allowed)();
    schema["description"] = json!(format!("{}\n\nAllowed: {allowed}.", about.join(" ")));
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_the_schema_with_its_meaning() {
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
