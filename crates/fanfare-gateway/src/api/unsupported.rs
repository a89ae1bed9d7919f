//! Fields of Centrifugo's API that this one does not have.
//!
//! Libraries for it send them also where they mean nothing: such a call is carried out. A call that means something by
//! one is refused, because it would do something else.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::ApiError;

/// See the head of this file.
#[derive(Default)]
pub(super) struct Unsupported {
    means_something: bool,
}

impl<'de> Deserialize<'de> for Unsupported {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self { means_something: !is_neutral(&value) })
    }
}

/// Whether a value is that of an absent field.
fn is_neutral(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_neutral),
    }
}

/// Refuses a call that means something by one of these fields.
///
/// # Errors
/// A field has a value.
pub(super) fn refuse<const N: usize>(fields: [(&str, &Unsupported); N]) -> Result<(), ApiError> {
    let used = fields.into_iter().find(|(_, field)| field.means_something);
    used.map_or(Ok(()), |(name, _)| {
        Err(ApiError::Field(format!("`{name}` is not supported by this server: leave it out")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_value_is_refused() {
        let refused = |json| {
            let field: Unsupported = serde_json::from_str(json).unwrap();
            refuse([("a", &Unsupported::default()), ("b", &field)]).map_err(|error| error.to_string())
        };
        for neutral in ["null", "false", "0", "0.0", "\"\"", "[]", "{}", r#"{"a":null,"b":{"value":false}}"#]
        {
            assert_eq!(refused(neutral), Ok(()), "{neutral}");
        }
        for value in ["true", "1", "-1", "\"x\"", "[0]", r#"{"a":{"value":true}}"#] {
            assert!(refused(value).unwrap_err().contains("`b` is not supported"), "{value}");
        }
    }
}
