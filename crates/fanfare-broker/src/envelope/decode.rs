//! What a publication looks like between nodes. No I/O.
//!
//! ```text
//! C1 FA | version (1) | kind (1) | length of the fields (2) | fields | payload to the end
//! field: tag (1) | length of the value (2) | value
//! ```
//! Numbers are big-endian. C1 begins no UTF-8 text, so nobody's text is mistaken for an envelope.
//!
//! | tag | value |
//! |---|---|
//! | 1 | payload type (1): 0 text, 1 binary, 2 JSON |
//! | 2 | origin: incarnation (8), then the session (8) where a session published it |
//! | 3 | sequence of that incarnation (8) |
//! | 4 | publish time, microseconds since 1970 by the clock of Redis (8), where the origin knows it |
//! | 5 | trace context, where the publish is traced: version 0 (1), trace id (16), span id (8), flags (1) |
//! | 6–10 | kept: offset, epoch, event name, tags, publisher info |
//! | 11 | sequence of that incarnation's last publication on the same channel that Redis had taken by then (8), where it is known |
//!
//! | kind | |
//! |---|---|
//! | 1 | publication: tags 1, 2, 3 are required |
//! | 2, 3 | kept: join, leave |
//! | 4 | control message from node to node: tag 2 is required |
//!
//! Invariants:
//! - Unknown tags are skipped, so fields may be added within a version.
//! - A trace context is about a message and no part of it: one that is not understood is none, and no error.
//! - Bytes with the magic are an envelope this node understands wholly, or an [`EnvelopeError`]: they are never
//!   relayed as somebody's payload.

use fanfare_core::{Incarnation, Origin, PayloadKind, SessionId, TraceContext};

/// The newest version this node reads.
pub const VERSION: u8 = 1;

/// The oldest version there is: every node reads it.
pub const OLDEST: u8 = 1;

/// What every envelope begins with.
const MAGIC: [u8; 2] = [0xC1, 0xFA];
/// Magic, version, kind, length of the fields.
const FIXED: usize = 6;

/// The longest header there can be, in bytes.
pub(crate) const MAX_HEADER: usize = FIXED + u16::MAX as usize;

const KIND_PUBLICATION: u8 = 1;
const KIND_CONTROL: u8 = 4;

const TAG_PAYLOAD_KIND: u8 = 1;
const TAG_ORIGIN: u8 = 2;
const TAG_SEQUENCE: u8 = 3;
const TAG_TIME: u8 = 4;
const TAG_TRACE: u8 = 5;
const TAG_PREVIOUS: u8 = 11;

/// What the bytes after an envelope's header are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A publication's payload.
    Publication {
        /// What its bytes are.
        payload: PayloadKind,
        /// Who published it.
        origin: Origin,
        /// When its origin took it, in microseconds since 1970 by the clock of Redis; `None` where the origin did not
        /// know it.
        time: Option<u64>,
        /// The sequence of its origin's last publication on its channel that Redis had taken when this one was
        /// written, where the origin knows it: who was subscribed and did not get that one lost it.
        previous: Option<u64>,
        /// The span that its deliveries are under.
        trace: Option<TraceContext>,
    },
    /// A control message's body.
    Control {
        /// Who sent it.
        from: Incarnation,
    },
}

/// What somebody's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// No envelope of ours: somebody's plain `PUBLISH`.
    Foreign,
    /// An envelope.
    Envelope {
        /// What follows its header.
        content: Content,
        /// Where the header ends.
        body_at: usize,
    },
}

/// Why bytes with the magic are no envelope this node understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// A version from the future.
    #[error("envelope version {0} is not known")]
    Version(u8),
    /// A kind from the future.
    #[error("envelope kind {0} is not known")]
    Kind(u8),
    /// It ends before its header does, or a field ends after it.
    #[error("the envelope's lengths do not add up")]
    Length,
    /// A field is missing, doubled, or not what it should be.
    #[error("the envelope's field {0} is missing or malformed")]
    Field(u8),
}

/// An encoded header; the payload's bytes follow it.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    bytes: [u8; Header::CAPACITY],
    len: usize,
}

impl Header {
    /// The fixed part and each field at its longest.
    const CAPACITY: usize =
        FIXED + (3 + 1) + (3 + 16) + (3 + 8) + (3 + 8) + (3 + 8) + (3 + TraceContext::BYTES);

    /// The header of a publication, in envelope version `version`.
    #[must_use]
    pub fn publication(
        version: u8,
        payload: PayloadKind,
        origin: &Origin,
        time: Option<u64>,
        previous: Option<u64>,
        trace: Option<TraceContext>,
    ) -> Self {
        let mut header = Self::new(version, KIND_PUBLICATION);
        header.field(TAG_PAYLOAD_KIND, &[payload_number(payload)], &[]);
        let session = origin.session.map(|session| session.0.to_be_bytes());
        header.field(TAG_ORIGIN, &origin.node.0.to_be_bytes(), session.as_ref().map_or(&[], |s| s));
        header.field(TAG_SEQUENCE, &origin.sequence.to_be_bytes(), &[]);
        if let Some(time) = time {
            header.field(TAG_TIME, &time.to_be_bytes(), &[]);
        }
        if let Some(previous) = previous {
            header.field(TAG_PREVIOUS, &previous.to_be_bytes(), &[]);
        }
        if let Some(trace) = trace {
            header.field(TAG_TRACE, &trace.to_bytes(), &[]);
        }
        header.finish()
    }

    /// The header of a control message, in envelope version `version`.
    #[must_use]
    pub fn control(version: u8, from: Incarnation) -> Self {
        let mut header = Self::new(version, KIND_CONTROL);
        header.field(TAG_ORIGIN, &from.0.to_be_bytes(), &[]);
        header.finish()
    }

    /// The header's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn new(version: u8, kind: u8) -> Self {
        let mut header = Self { bytes: [0; Self::CAPACITY], len: 0 };
        header.put(&MAGIC);
        header.put(&[version, kind, 0, 0]);
        header
    }

    fn field(&mut self, tag: u8, value: &[u8], more: &[u8]) {
        let [high, low] = short(value.len() + more.len());
        self.put(&[tag, high, low]);
        self.put(value);
        self.put(more);
    }

    /// Writes the length of the fields where it belongs.
    fn finish(mut self) -> Self {
        let length = short(self.len - FIXED);
        if let Some(place) = self.bytes.get_mut(FIXED - 2..FIXED) {
            place.copy_from_slice(&length);
        }
        self
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(place) = self.bytes.get_mut(self.len..end) {
            place.copy_from_slice(bytes);
            self.len = end;
        }
    }
}

/// A header's length as it is written; no header of ours comes near the bound.
fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// Reads an envelope's header.
///
/// # Errors
/// An [`EnvelopeError`] for what has the magic and is not wholly understood.
pub fn decode(bytes: &[u8]) -> Result<Decoded, EnvelopeError> {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else { return Ok(Decoded::Foreign) };
    let (&[version, kind, high, low], rest) = rest.split_first_chunk::<4>().ok_or(EnvelopeError::Length)?;
    if !(OLDEST..=VERSION).contains(&version) {
        return Err(EnvelopeError::Version(version));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    let fields = Fields::read(rest.get(..length).ok_or(EnvelopeError::Length)?)?;
    let content = match kind {
        KIND_PUBLICATION => fields.publication()?,
        KIND_CONTROL => Content::Control { from: fields.origin.ok_or(EnvelopeError::Field(TAG_ORIGIN))?.0 },
        other => return Err(EnvelopeError::Kind(other)),
    };
    Ok(Decoded::Envelope { content, body_at: FIXED + length })
}

/// The fields this version knows.
#[derive(Default)]
struct Fields {
    payload: Option<PayloadKind>,
    origin: Option<(Incarnation, Option<SessionId>)>,
    sequence: Option<u64>,
    time: Option<u64>,
    previous: Option<u64>,
    trace: Option<TraceContext>,
}

impl Fields {
    fn read(mut rest: &[u8]) -> Result<Self, EnvelopeError> {
        let mut fields = Self::default();
        while !rest.is_empty() {
            let (&[tag, high, low], after) = rest.split_first_chunk::<3>().ok_or(EnvelopeError::Length)?;
            let length = usize::from(u16::from_be_bytes([high, low]));
            let (value, after) = after.split_at_checked(length).ok_or(EnvelopeError::Length)?;
            fields.take(tag, value)?;
            rest = after;
        }
        Ok(fields)
    }

    fn take(&mut self, tag: u8, value: &[u8]) -> Result<(), EnvelopeError> {
        let understood = match tag {
            TAG_PAYLOAD_KIND => set(&mut self.payload, payload_kind(value)),
            TAG_ORIGIN => set(&mut self.origin, origin(value)),
            TAG_SEQUENCE => set(&mut self.sequence, number(value)),
            TAG_TIME => set(&mut self.time, number(value)),
            TAG_PREVIOUS => set(&mut self.previous, number(value)),
            TAG_TRACE => {
                self.trace = TraceContext::from_bytes(value);
                true
            }
            _ => true,
        };
        if understood { Ok(()) } else { Err(EnvelopeError::Field(tag)) }
    }

    fn publication(self) -> Result<Content, EnvelopeError> {
        let payload = self.payload.ok_or(EnvelopeError::Field(TAG_PAYLOAD_KIND))?;
        let (node, session) = self.origin.ok_or(EnvelopeError::Field(TAG_ORIGIN))?;
        let sequence = self.sequence.ok_or(EnvelopeError::Field(TAG_SEQUENCE))?;
        let origin = Origin { node, session, sequence };
        let Self { time, previous, trace, .. } = self;
        Ok(Content::Publication { payload, origin, time, previous, trace })
    }
}

/// Whether there was a value, and none before it.
fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    value.is_some_and(|value| place.replace(value).is_none())
}

fn number(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

fn origin(value: &[u8]) -> Option<(Incarnation, Option<SessionId>)> {
    let (incarnation, session) = value.split_first_chunk::<8>()?;
    let session = if session.is_empty() { None } else { Some(SessionId(number(session)?)) };
    Some((Incarnation(u64::from_be_bytes(*incarnation)), session))
}

fn payload_number(kind: PayloadKind) -> u8 {
    match kind {
        PayloadKind::Text => 0,
        PayloadKind::Binary => 1,
        PayloadKind::Json => 2,
    }
}

fn payload_kind(value: &[u8]) -> Option<PayloadKind> {
    match value {
        [0] => Some(PayloadKind::Text),
        [1] => Some(PayloadKind::Binary),
        [2] => Some(PayloadKind::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
