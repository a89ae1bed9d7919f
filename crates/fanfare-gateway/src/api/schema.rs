//! Forms of fields, for the OpenAPI document. Patterns are regular expressions as JSON Schema has them (ECMA 262).

use fanfare_core::Channel;
use utoipa::openapi::{
    Array, Object, ObjectBuilder,
    schema::ArrayBuilder,
    schema::{SchemaType, Type},
};

/// A text that a channel name can be, but for its length in bytes and for characters beyond U+FFFF that cannot be seen.
pub(super) const VISIBLE: &str = concat!(
    r"^[^\u0000-\u0020\u007f-\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200b\u200e\u200f\u2028-\u202f\u205f-\u206f",
    r"\u3000\ufeff\ufff9-\ufffb]+$"
);

/// Base64 with padding.
const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?$";

/// An epoch; empty for whichever.
const EPOCH: &str = "^([0-9a-fA-F]{16})?$";

/// A client.
const CLIENT: &str = "^[0-9a-fA-F]{16}-[0-9]{1,19}$";

/// An idempotency key in a header.
pub(super) const HEADER_WORD: &str = "^[!-~]{1,256}$";

/// A channel.
pub(super) fn channel() -> Object {
    let words =
        "The channel: at most 255 bytes of UTF-8, without white space and characters that cannot be seen.";
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some(words));
    text.min_length(Some(1)).max_length(Some(Channel::MAX_BYTES)).pattern(Some(VISIBLE)).build()
}

/// A channel, or an empty text for all.
pub(super) fn channel_or_all() -> Object {
    let words = "The channel; empty for all channels of these clients.";
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some(words));
    text.max_length(Some(Channel::MAX_BYTES)).pattern(Some(format!("^$|{VISIBLE}"))).build()
}

/// Clients, which may be absent.
pub(super) fn clients() -> Array {
    let client = ObjectBuilder::new().schema_type(Type::String).pattern(Some(CLIENT)).build();
    let words = "Clients that stay.";
    let list = SchemaType::from_iter([Type::Array, Type::Null]);
    ArrayBuilder::new().schema_type(list).items(client).description(Some(words)).build()
}

/// Bytes in base64.
pub(super) fn base64() -> Object {
    let words = "The message as any bytes, in base64, in the place of `data`.";
    optional_text().description(Some(words)).pattern(Some(BASE64)).build()
}

/// An epoch in a request.
pub(super) fn epoch() -> Object {
    let words = "The epoch of the offset; absent or empty for whichever.";
    optional_text().description(Some(words)).pattern(Some(EPOCH)).build()
}

/// A channel that may be absent.
pub(super) fn optional_channel() -> Object {
    let words = "A channel to which they are subscribed; absent for whichever.";
    let text = optional_text().description(Some(words));
    text.min_length(Some(1)).max_length(Some(Channel::MAX_BYTES)).pattern(Some(VISIBLE)).build()
}

/// A client that may be absent.
pub(super) fn client() -> Object {
    optional_text().description(Some("The client.")).pattern(Some(CLIENT)).build()
}

/// A text or `null`.
fn optional_text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}
