//! One publication that is kept: the entry of a stream, whose id is its offset, and whose value is its envelope.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use fanfare_core::{Channel, Epoch, Payload, Position, Publication};

use crate::{
    envelope::{Content, Decoded, decode},
    redis::clock::offset::Clock,
};

/// An entry, as Redis answers it: its id and its envelope.
pub(super) type Entry = (String, Vec<u8>);

/// The offset of an entry.
pub(super) fn offset((id, _): &Entry) -> Option<u64> {
    id.strip_suffix("-0")?.parse().ok()
}

/// The publication of an entry; `None` where this node does not understand it.
pub(super) fn publication(
    channel: &Channel,
    epoch: Epoch,
    entry: Entry,
    clock: &Clock,
) -> Option<Arc<Publication>> {
    let position = Position { epoch, offset: offset(&entry)? };
    let envelope = Bytes::from(entry.1);
    let Ok(Decoded::Envelope {
        content: Content::Publication { payload: kind, origin, time, attributes, .. },
        body_at,
    }) = decode(&envelope)
    else {
        return None;
    };
    let payload = Payload::checked(kind, envelope.slice(body_at..))?;
    let now = Instant::now();
    let published = time.and_then(|time| clock.published(&origin, time)).filter(|time| *time <= now);
    let publication = Publication::new(channel.clone(), payload, Some(origin)).published_at(published);
    Some(Arc::new(publication.with_attributes(attributes).at(Some(position))))
}
