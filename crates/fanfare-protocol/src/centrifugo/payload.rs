//! Payloads on their way from and to the `data` of messages.
//!
//! A JSON string is a text, and every other JSON value is JSON with its bytes: so a client of the plain WebSocket sends
//! `hi`, and a client here gets `"hi"`. Bytes that are not JSON need Protobuf, or an object around their base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use fanfare_core::{Payload, PayloadKind};
use serde_json::value::RawValue;

use super::encoding::Encoding;

/// The payload that a client means.
pub(super) fn incoming(data: Bytes) -> Payload {
    let Ok(value) = serde_json::from_slice::<&RawValue>(&data) else { return Payload::binary(data) };
    // A string with half a surrogate pair is JSON, but not a text.
    let text =
        value.get().starts_with('"').then(|| serde_json::from_str::<String>(value.get()).ok()).flatten();
    match text {
        Some(text) => Payload::text(text),
        None => Payload::checked(PayloadKind::Json, data.clone()).unwrap_or_else(|| Payload::binary(data)),
    }
}

/// The `data` that says a payload.
pub(super) fn outgoing(payload: &Payload, encoding: Encoding) -> Bytes {
    match (payload.kind(), encoding) {
        (PayloadKind::Json, _) | (PayloadKind::Binary, Encoding::Protobuf) => payload.bytes().clone(),
        (PayloadKind::Text, _) => {
            let text = String::from_utf8_lossy(payload.bytes());
            serde_json::to_vec(&text).unwrap_or_default().into()
        }
        (PayloadKind::Binary, Encoding::Json) => {
            format!(r#"{{"b64":"{}"}}"#, STANDARD.encode(payload.bytes())).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_string_is_a_text() {
        for (data, payload) in [
            (r#""hi""#, Payload::text("hi")),
            (r#" "a\nb" "#, Payload::text("a\nb")),
            (r#""""#, Payload::text("")),
            (r#"{"a" : 1}"#, Payload::json(r#"{"a" : 1}"#)),
            ("null", Payload::json("null")),
            (r#""\ud800""#, Payload::json(r#""\ud800""#)),
            ("{", Payload::binary("{")),
            ("hi", Payload::binary("hi")),
            ("1 2", Payload::binary("1 2")),
        ] {
            assert_eq!(incoming(data.into()), payload, "{data}");
        }
        assert_eq!(incoming(Bytes::from_static(b"\"\xff\"")), Payload::binary(&b"\"\xff\""[..]));
    }

    #[test]
    fn each_kind_has_its_data() {
        let both = |payload: Payload| {
            [Encoding::Json, Encoding::Protobuf].map(|encoding| outgoing(&payload, encoding))
        };
        assert_eq!(both(Payload::text("a\"\n")), [r#""a\"\n""#; 2]);
        assert_eq!(both(Payload::json("{ }")), ["{ }"; 2]);
        assert_eq!(
            both(Payload::binary(&b"\xff\0"[..])),
            [Bytes::from(r#"{"b64":"/wA="}"#), Bytes::from_static(b"\xff\0")]
        );
    }
}
