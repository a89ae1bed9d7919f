//! Attributes of a publish, beside its payload.

use crate::{Incarnation, SessionId, presence::PresenceEntry};

/// The attributes of a publish. They are boxed as a whole, because the relay has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The session that does not get it, on whichever node that is.
    pub exclude: Option<(Incarnation, SessionId)>,
    /// The name of the event.
    pub event: Option<String>,
    /// Names and values for its subscribers, in the publisher's order.
    pub tags: Vec<(String, String)>,
    /// The client that published it, for its subscribers; with [`Attributes::presence`] the client that joined or left.
    pub publisher: Option<PresenceEntry>,
    /// `Some`: not a publication of a client, but news of a client in the channel. It has no payload, and only
    /// subscribers that asked for such news get it.
    pub presence: Option<PresenceChange>,
    /// The key by which the broker recognises a publish that comes again. Its subscribers do not get it.
    pub idempotency_key: Option<String>,
}

/// News of a client in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresenceChange {
    /// It joined.
    Joined,
    /// It left.
    Left,
}

impl Attributes {
    /// The most bytes that event name, tags, publisher and key may have together ([`Attributes::bytes`]). A broker refuses more.
    pub const MAX_BYTES: usize = 16 << 10;

    /// The number of bytes of event name, tags, publisher and key together. Each tag counts with four bytes more.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tags = self.tags.iter().map(|(name, value)| name.len() + value.len() + 4);
        let event = self.event.as_ref().map_or(0, String::len);
        let key = self.idempotency_key.as_ref().map_or(0, String::len);
        event + tags.sum::<usize>() + self.publisher.as_ref().map_or(0, PresenceEntry::bytes) + key
    }
}
