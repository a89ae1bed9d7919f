//! An entry as the bytes of a field: JSON, so that an operator can read it.

use bytes::Bytes;
use fanfare_core::{ClientId, presence::PresenceEntry};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Serialize, Deserialize)]
struct Value<'a> {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    user: Option<String>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    client_info: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    channel_info: Option<&'a RawValue>,
}

/// The bytes of an entry. Information that is not JSON is left out.
pub(super) fn encode(entry: &PresenceEntry) -> Bytes {
    let raw = |info: &Option<Bytes>| -> Option<Box<RawValue>> { serde_json::from_slice(info.as_ref()?).ok() };
    let (client_info, channel_info) = (raw(&entry.client_info), raw(&entry.channel_info));
    let value = Value {
        user: entry.user.clone(),
        client_info: client_info.as_deref(),
        channel_info: channel_info.as_deref(),
    };
    serde_json::to_vec(&value).unwrap_or_default().into()
}

/// The entry of a field; `None` where it is not of this format.
pub(super) fn decode(field: &[u8], value: &[u8]) -> Option<PresenceEntry> {
    of_client(std::str::from_utf8(field).ok()?.parse().ok()?, value)
}

/// The entry of a client; `None` where it is not of this format.
pub(super) fn of_client(client: ClientId, value: &[u8]) -> Option<PresenceEntry> {
    let value: Value<'_> = serde_json::from_slice(value).ok()?;
    let bytes = |raw: Option<&RawValue>| raw.map(|raw| Bytes::copy_from_slice(raw.get().as_bytes()));
    Some(PresenceEntry {
        client,
        user: value.user,
        client_info: bytes(value.client_info),
        channel_info: bytes(value.channel_info),
    })
}

#[cfg(test)]
mod tests {
    use fanfare_core::{Incarnation, SessionId};

    use super::*;

    #[test]
    fn an_entry_is_read_as_it_is_written() {
        let client = ClientId { node: Incarnation(7), session: SessionId(9) };
        let full = PresenceEntry {
            client,
            user: Some("ä".into()),
            client_info: Some(Bytes::from_static(br#"{"name":"x"}"#)),
            channel_info: Some(Bytes::from_static(b"1")),
        };
        let empty = PresenceEntry { client, user: None, client_info: None, channel_info: None };
        for entry in [full, empty] {
            assert_eq!(decode(client.to_string().as_bytes(), &encode(&entry)), Some(entry));
        }
        for (field, value) in [("x", "{}"), ("0000000000000007-9", "no"), ("0000000000000007-9", "[]]")] {
            assert_eq!(decode(field.as_bytes(), value.as_bytes()), None, "{field} {value}");
        }
    }
}
