//! A publication on its way to its subscribers, which share it.
//!
//! Invariant: it is encoded at most once per [`EncodingKey`], by the shard that asks first.

use std::time::Instant;

use bytes::Bytes;
use once_cell::race::OnceBox;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::{
    Attributes, Channel, EncodingKey, Incarnation, Origin, Payload, Position, SessionId, TraceContext,
};

/// A publication, as the broker delivers it.
#[derive(Debug)]
pub struct Publication {
    /// The channel.
    pub channel: Channel,
    /// The payload.
    pub payload: Payload,
    /// The origin; `None` where it was published around us.
    pub origin: Option<Origin>,
    /// The parent span of its deliveries; `None` where it is not traced.
    pub trace: Option<TraceContext>,
    /// When its origin took it, by this node's monotonic clock; `None` where that is not known. It may lie in the
    /// future where the clocks of two nodes disagree.
    pub published: Option<Instant>,
    /// Its attributes.
    pub attributes: Option<Box<Attributes>>,
    /// Its position; `None` on a channel without history, and where it is not kept.
    pub position: Option<Position>,
    is_gap: bool,
    /// Boxed, because few publications have it.
    previous: OnceBox<Payload>,
    encoded: Mutex<SmallVec<[(EncodingKey, Bytes); 1]>>,
}

impl Publication {
    /// A publication that is not encoded yet, without a time of publish.
    #[must_use]
    #[inline]
    pub fn new(channel: Channel, payload: Payload, origin: Option<Origin>) -> Self {
        Self {
            channel,
            payload,
            origin,
            trace: None,
            published: None,
            attributes: None,
            position: None,
            is_gap: false,
            previous: OnceBox::new(),
            encoded: Mutex::default(),
        }
    }

    /// Not a publication of a client, but the mark of a gap in its channel: publications are missing before it, for
    /// good. What follows goes on behind `position`. Only a dialect that [tells gaps](crate::Dialect::tells_gaps) has a
    /// message for it.
    #[must_use]
    pub fn gap(channel: Channel, position: Option<Position>) -> Self {
        Self { is_gap: true, position, ..Self::new(channel, Payload::text(""), None) }
    }

    /// The same publication in this trace.
    #[must_use]
    #[inline]
    pub fn traced(self, trace: Option<TraceContext>) -> Self {
        Self { trace, ..self }
    }

    /// The same publication, published at this time.
    #[must_use]
    #[inline]
    pub fn published_at(self, published: Option<Instant>) -> Self {
        Self { published, ..self }
    }

    /// The same publication with these attributes.
    #[must_use]
    #[inline]
    pub fn with_attributes(self, attributes: Option<Box<Attributes>>) -> Self {
        Self { attributes, ..self }
    }

    /// The same publication at this position.
    #[must_use]
    #[inline]
    pub fn at(self, position: Option<Position>) -> Self {
        Self { position, ..self }
    }

    /// The payload of the publication before it. `None`: a subscriber of this node may not have it, or no subscriber gets
    /// differences.
    #[must_use]
    pub fn previous(&self) -> Option<&Payload> {
        self.previous.get()
    }

    /// Every subscriber of this node has this payload, and nothing since. Called before the first subscriber gets the
    /// publication, with the same payload where it is called again.
    pub fn follow(&self, previous: Payload) {
        self.previous.get_or_init(|| Box::new(previous));
    }

    /// Whether it is news of a client ([`Attributes::presence`]).
    #[must_use]
    #[inline]
    pub fn is_news(&self) -> bool {
        self.attributes.as_ref().is_some_and(|attributes| attributes.presence.is_some())
    }

    /// Whether it is the mark of a gap: [`Publication::gap`].
    #[must_use]
    #[inline]
    pub fn is_gap(&self) -> bool {
        self.is_gap
    }

    /// Whether it is not a publication of a client: news of one, or the mark of a gap.
    #[must_use]
    #[inline]
    pub fn is_notice(&self) -> bool {
        self.is_gap || self.is_news()
    }

    /// The session of this node that its publisher leaves out.
    #[must_use]
    pub fn excluded_on(&self, node: Incarnation) -> Option<SessionId> {
        let (on, session) = self.attributes.as_ref()?.exclude?;
        (on == node).then_some(session)
    }

    /// Its bytes on the wire for `key`, made by `encode` on the first call.
    pub fn encoded(&self, key: EncodingKey, encode: impl FnOnce(&Self) -> Bytes) -> Bytes {
        let mut encoded = self.encoded.lock();
        if let Some((_, bytes)) = encoded.iter().find(|(found, _)| *found == key) {
            return bytes.clone();
        }
        let bytes = encode(self);
        encoded.push((key, bytes.clone()));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EncodingId, FramingId};

    #[test]
    fn each_encoding_is_made_once() {
        let publication = Publication::new(Channel::new("a").unwrap(), Payload::text("x"), None);
        let key = |id| EncodingKey { encoding: EncodingId(id), framing: FramingId(0) };
        let mut made = 0;
        for id in [1, 2, 1, 2, 1] {
            let bytes = publication.encoded(key(id), |p| {
                made += 1;
                Bytes::from(format!("{id}{}", p.payload.len()))
            });
            assert_eq!(bytes, format!("{id}1"));
        }
        assert_eq!(made, 2);
    }
}
