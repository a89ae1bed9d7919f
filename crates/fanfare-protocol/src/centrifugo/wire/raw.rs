//! Payloads in JSON, as serde's attributes name them.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::IgnoredAny};
use serde_json::value::RawValue;

/// The bytes of a JSON value, as the client wrote them. `null` is a value too.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let value = <&RawValue>::deserialize(deserializer)?;
    Ok(Bytes::copy_from_slice(value.get().as_bytes()))
}

/// The bytes of a JSON string.
pub(super) fn read_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    String::deserialize(deserializer).map(Bytes::from)
}

/// Whether a value is there.
pub(super) fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<()>, D::Error> {
    Ok(Option::<IgnoredAny>::deserialize(deserializer)?.map(|_| ()))
}

/// Writes bytes as the JSON value that they are. A line's end between two tokens becomes a space, since clients split
/// messages there. Bytes that are not JSON become a JSON string: a payload never breaks the message around it.
pub(super) fn write<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    let text = String::from_utf8_lossy(bytes);
    let line = if text.contains('\n') { Cow::Owned(text.replace('\n', " ")) } else { text };
    match serde_json::from_str::<&RawValue>(&line) {
        Ok(value) => value.serialize(serializer),
        Err(_) => line.serialize(serializer),
    }
}

/// Whether a value is the zero of its type, which neither encoding writes.
pub(super) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
