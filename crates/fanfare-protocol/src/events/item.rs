//! A publication as an item: one line of JSON.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use fanfare_core::{Cursor, Payload, PayloadKind, Publication};
use serde::Serialize;

#[derive(Serialize)]
struct Head<'a> {
    /// The first field: a transport may replace it without a look at the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<&'a str, &'a str>,
}

/// The item of a publication, with its cursor.
pub(super) fn with_cursor(publication: &Publication) -> String {
    item(publication, cursor(publication).map(|cursor| cursor.to_string()))
}

/// The item of a publication whose cursor is elsewhere.
pub(super) fn without_cursor(publication: &Publication) -> String {
    item(publication, None)
}

fn item(publication: &Publication, cursor: Option<String>) -> String {
    let attributes = publication.attributes.as_ref();
    let tags = attributes.into_iter().flat_map(|attributes| &attributes.tags);
    let head = Head {
        cursor,
        channel: publication.channel.as_str(),
        event: event(publication),
        tags: tags.map(|(name, value)| (&**name, &**value)).collect(),
    };
    let mut item = json(&head);
    // `data` takes the place of the closing brace: it is not parsed again.
    item.pop();
    item.push_str(",\"data\":");
    item.push_str(&data(&publication.payload));
    item.push('}');
    item
}

/// The event name of a publication, if it has one.
pub(super) fn event(publication: &Publication) -> Option<&str> {
    publication.attributes.as_ref()?.event.as_deref()
}

/// The position of a publication, as a cursor.
pub(super) fn cursor(publication: &Publication) -> Option<Cursor> {
    publication.position.map(|position| Cursor::of(&publication.channel, position))
}

/// A payload as one line of JSON.
fn data(payload: &Payload) -> String {
    let text = String::from_utf8_lossy(payload.bytes());
    match payload.kind() {
        PayloadKind::Text => json(&text),
        // A line break in JSON stands between two tokens.
        PayloadKind::Json if text.contains(['\r', '\n']) => text.replace(['\r', '\n'], " "),
        PayloadKind::Json => Cow::into_owned(text),
        PayloadKind::Binary => bytes(payload),
    }
}

/// Bytes as JSON.
pub(super) fn bytes(payload: &Payload) -> String {
    format!(r#"{{"b64":"{}"}}"#, STANDARD.encode(payload.bytes()))
}

/// A value as one line of JSON. The values of this folder are names and texts, which do not fail to be JSON.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
