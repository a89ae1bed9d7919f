//! Payloads in JSON.
//!
//! | payload | JSON |
//! |---|---|
//! | text | `data`, a string of its contents |
//! | JSON | `data`, any other JSON, byte by byte |
//! | bytes | `b64data`, in base64 |

use base64::{Engine, engine::general_purpose::STANDARD};
use fanfare_core::{Payload, PayloadKind};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::ApiError;

/// Deserializes a field that is there: `null` is JSON like any other.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// The payload of these two fields: exactly one is given.
pub(super) fn payload(data: Option<Box<RawValue>>, b64data: Option<String>) -> Result<Payload, ApiError> {
    match (data, b64data) {
        (Some(data), None) if data.get().starts_with('"') => match serde_json::from_str::<String>(data.get())
        {
            Ok(text) => Ok(Payload::text(text)),
            Err(error) => Err(ApiError::Field(error.to_string())),
        },
        (Some(data), None) => Ok(Payload::json(Box::<str>::from(data))),
        (None, Some(encoded)) => match STANDARD.decode(encoded) {
            Ok(bytes) => Ok(Payload::binary(bytes)),
            Err(error) => Err(ApiError::Field(format!("b64data is not base64: {error}"))),
        },
        (Some(_), Some(_)) => Err(ApiError::Field("data and b64data exclude each other".into())),
        (None, None) => Err(ApiError::Field("there is neither data nor b64data".into())),
    }
}

/// The two fields of a payload. A payload that should be JSON and is not (another program made it) is told as text.
pub(super) fn fields(payload: &Payload) -> (Option<Box<RawValue>>, Option<String>) {
    let text = || str::from_utf8(payload.bytes()).ok();
    let verbatim = |json: &str| RawValue::from_string(json.to_owned()).ok();
    let quoted = |text: &str| serde_json::value::to_raw_value(text).ok();
    let data = match payload.kind() {
        PayloadKind::Binary => None,
        PayloadKind::Text => text().and_then(quoted),
        PayloadKind::Json => text().and_then(|json| verbatim(json).or_else(|| quoted(json))),
    };
    match data {
        Some(data) => (Some(data), None),
        None => (None, Some(STANDARD.encode(payload.bytes()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_told_as_published() {
        let told = |payload: &Payload| {
            let (data, b64data) = fields(payload);
            let again = super::payload(data.clone(), b64data.clone()).unwrap();
            (data.map(|data| data.get().to_owned()), b64data, again == *payload)
        };
        let json = |text: &str| Some(text.to_owned());
        assert_eq!(told(&Payload::text("hä \"x\"")), (json(r#""hä \"x\"""#), None, true));
        assert_eq!(told(&Payload::json(r#"{"b" : 1.0}"#)), (json(r#"{"b" : 1.0}"#), None, true));
        assert_eq!(told(&Payload::json("null")), (json("null"), None, true));
        assert_eq!(told(&Payload::binary(&b"\xff\0"[..])), (None, json("/wA="), true));
        assert_eq!(told(&Payload::json("{")), (json("\"{\""), None, false), "not JSON at all");
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        assert!(told(&Payload::json(deep)).2);
    }
}
