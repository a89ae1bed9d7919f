//! The `data` of publications for a client that gets differences.
//!
//! In JSON every `data` of such a client is a string: around the text of the payload, or around a difference to the text
//! of the publication before. In Protobuf it is the bytes.
//!
//! Invariant: a difference is to the bytes that the client took for the payload before, and it is shorter than the
//! payload.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_core::{EncodingId, EncodingKey, FramingId, Payload, Publication};
use serde_json::value::RawValue;

use super::{encoding::Encoding, fossil, payload};
use crate::encoding::{CENTRIFUGO_JSON_DIFFERENCE, CENTRIFUGO_PROTOBUF_DIFFERENCE};

/// The most bytes of a payload that differences are made of, since the time that they take grows with it.
const MOST_BYTES: usize = 128 << 10;

/// The form of the `data` that a client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The payload, where the client did not ask for differences.
    Plain,
    /// The payload, where the client does not have the publication before.
    Full,
    /// The difference to the publication before, where there is one.
    Patch,
}

/// The `data` of a publication.
pub(super) struct Data {
    pub(super) bytes: Bytes,
    /// Whether it is a difference.
    pub(super) is_difference: bool,
}

impl Form {
    /// The `data` of a publication that comes by itself.
    pub(super) fn data(self, publication: &Publication, encoding: Encoding) -> Data {
        let payload = &publication.payload;
        let previous = publication.previous().filter(|_| self == Self::Patch);
        match previous.and_then(|previous| difference(previous, payload, encoding)) {
            Some(bytes) => Data { bytes, is_difference: true },
            None if self == Self::Plain => Data::whole(payload::outgoing(payload, encoding)),
            None => Data::whole(full(payload, encoding)),
        }
    }
}

impl Data {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { bytes, is_difference: false }
    }
}

/// The `data` of publications that come together: the first is whole, and each that follows the one before it by its
/// offset is a difference. All clients that get the publication so share the work.
pub(super) fn recovered(publications: &[Arc<Publication>], encoding: Encoding) -> impl Iterator<Item = Data> {
    let before = std::iter::once(None).chain(publications.iter().map(Some));
    before.zip(publications).map(move |(before, publication)| {
        let before = before.filter(|before| follows(before, publication));
        let shared = before.map(|before| {
            publication.encoded(key(encoding), |publication| {
                difference(&before.payload, &publication.payload, encoding).unwrap_or_default()
            })
        });
        match shared.filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => Data { bytes, is_difference: true },
            None => Data::whole(full(&publication.payload, encoding)),
        }
    })
}

fn follows(before: &Publication, publication: &Publication) -> bool {
    let (Some(before), Some(at)) = (before.position, publication.position) else { return false };
    before.epoch == at.epoch && before.offset + 1 == at.offset
}

fn key(encoding: Encoding) -> EncodingKey {
    let encoding: EncodingId = match encoding {
        Encoding::Json => CENTRIFUGO_JSON_DIFFERENCE,
        Encoding::Protobuf => CENTRIFUGO_PROTOBUF_DIFFERENCE,
    };
    EncodingKey { encoding, framing: FramingId(0) }
}

/// The `data` that says a payload whole.
fn full(payload: &Payload, encoding: Encoding) -> Bytes {
    let taken = taken_for(payload, encoding);
    match encoding {
        Encoding::Json => quoted(&String::from_utf8_lossy(&taken)),
        Encoding::Protobuf => taken,
    }
}

/// The `data` that says the difference between two payloads; `None` where it is not shorter than the payload, or
/// cannot be said.
fn difference(previous: &Payload, payload: &Payload, encoding: Encoding) -> Option<Bytes> {
    if previous.len().max(payload.len()) > MOST_BYTES {
        return None;
    }
    let (source, target) = (taken_for(previous, encoding), taken_for(payload, encoding));
    let delta = fossil::delta(&source, &target);
    if delta.len() >= target.len() {
        return None;
    }
    match encoding {
        // A difference may cut characters into halves.
        Encoding::Json => String::from_utf8(delta).ok().map(|delta| quoted(&delta)),
        Encoding::Protobuf => Some(delta.into()),
    }
}

/// The bytes that a client takes for a payload. In JSON they are JSON, whatever the payload is.
fn taken_for(payload: &Payload, encoding: Encoding) -> Bytes {
    let data = payload::outgoing(payload, encoding);
    if encoding == Encoding::Json && serde_json::from_slice::<&RawValue>(&data).is_err() {
        return quoted(&String::from_utf8_lossy(&data));
    }
    data
}

fn quoted(text: &str) -> Bytes {
    serde_json::to_vec(text).unwrap_or_default().into()
}
