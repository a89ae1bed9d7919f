//! Attributes of a publish, beside its payload.

use bytes::Bytes;

use crate::{Incarnation, SessionId};

/// The attributes of a publish. They are boxed as a whole, because the relay has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The session that does not get it, on whichever node that is.
    pub exclude: Option<(Incarnation, SessionId)>,
    /// The name of the event.
    pub event: Option<String>,
    /// Names and values for its subscribers, in the publisher's order.
    pub tags: Vec<(String, String)>,
    /// Information about its publisher, for its subscribers: bytes that the node does not read.
    pub info: Option<Bytes>,
    /// The key by which the broker recognises a publish that comes again. Its subscribers do not get it.
    pub idempotency_key: Option<String>,
}

impl Attributes {
    /// The most bytes that event name, tags, info and key may have together ([`Attributes::bytes`]). A broker refuses more.
    pub const MAX_BYTES: usize = 16 << 10;

    /// The number of bytes of event name, tags, info and key together. Each tag counts with four bytes more.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tags = self.tags.iter().map(|(name, value)| name.len() + value.len() + 4);
        let event = self.event.as_ref().map_or(0, String::len);
        let key = self.idempotency_key.as_ref().map_or(0, String::len);
        event + tags.sum::<usize>() + self.info.as_ref().map_or(0, Bytes::len) + key
    }
}
