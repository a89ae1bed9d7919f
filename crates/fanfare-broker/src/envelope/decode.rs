//! How an envelope is read.

use fanfare_core::{
    Attributes, Epoch, Incarnation, Origin, PayloadKind, Position, SessionId, TraceContext,
    attributes::PresenceChange,
};

use super::{
    format::{
        FIXED, KIND_CONTROL, KIND_JOINED, KIND_LEFT, KIND_POSITIONED, KIND_PUBLICATION, MAGIC, OLDEST,
        TAG_EVENT, TAG_EXCLUDE, TAG_ORIGIN, TAG_PAYLOAD_KIND, TAG_POSITION, TAG_PREVIOUS, TAG_PUBLISHER,
        TAG_SEQUENCE, TAG_TAGS, TAG_TIME, TAG_TRACE, VERSION,
    },
    publisher,
};

/// The content of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A publication's payload.
    Publication {
        /// The kind of its payload.
        payload: PayloadKind,
        /// Its origin.
        origin: Origin,
        /// When its origin took it, in microseconds since 1970 by the clock of Redis; `None` where the origin did not
        /// know the time.
        time: Option<u64>,
        /// The sequence of its origin's last publication on its channel that Redis had taken when this one was written,
        /// where the origin knows it. A subscribed node that did not get that one lost it.
        previous: Option<u64>,
        /// The parent span of its deliveries.
        trace: Option<TraceContext>,
        /// Its attributes.
        attributes: Option<Box<Attributes>>,
        /// Its position, where it was kept.
        position: Option<Position>,
    },
    /// A control message's body.
    Control {
        /// The sender.
        from: Incarnation,
        /// Its place among the control messages of its sender, where the sender sends each through several partitions.
        sequence: Option<u64>,
    },
}

/// A message of Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A plain `PUBLISH` without an envelope.
    Foreign,
    /// An envelope.
    Envelope {
        /// Its content.
        content: Content,
        /// Where the header ends.
        body_at: usize,
    },
}

/// Why bytes with the magic are not an envelope that this node understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// A version from the future.
    #[error("envelope version {0} is not known")]
    Version(u8),
    /// A kind from the future.
    #[error("envelope kind {0} is not known")]
    Kind(u8),
    /// It ends before its header does, or a field ends behind the header.
    #[error("the envelope's lengths do not add up")]
    Length,
    /// A field is missing, doubled or malformed.
    #[error("the envelope's field {0} is missing or malformed")]
    Field(u8),
    /// It gives a position to something that is not an envelope with a publication.
    #[error("the envelope gives a position to something else than a publication")]
    Positioned,
}

/// Reads an envelope's header. The header of a publication with a position ends where that of its own envelope ends.
///
/// # Errors
/// An [`EnvelopeError`] for bytes that have the magic and are not understood as a whole.
pub fn decode(bytes: &[u8]) -> Result<Decoded, EnvelopeError> {
    let Some(Outer { kind, fields, body_at }) = outer(bytes)? else { return Ok(Decoded::Foreign) };
    let content = match kind {
        KIND_PUBLICATION => fields.publication()?,
        KIND_JOINED => fields.news(PresenceChange::Joined)?,
        KIND_LEFT => fields.news(PresenceChange::Left)?,
        KIND_CONTROL => {
            let (from, _) = fields.origin.ok_or(EnvelopeError::Field(TAG_ORIGIN))?;
            Content::Control { from, sequence: fields.sequence }
        }
        KIND_POSITIONED => {
            let position = fields.position.ok_or(EnvelopeError::Field(TAG_POSITION))?;
            return positioned(position, bytes, body_at);
        }
        other => return Err(EnvelopeError::Kind(other)),
    };
    Ok(Decoded::Envelope { content, body_at })
}

/// The publication in an envelope whose body begins at `inner_at`.
fn positioned(at: Position, bytes: &[u8], inner_at: usize) -> Result<Decoded, EnvelopeError> {
    match outer(bytes.get(inner_at..).unwrap_or_default())? {
        Some(Outer { kind: KIND_PUBLICATION, fields, body_at }) => {
            let mut content = fields.publication()?;
            if let Content::Publication { position, .. } = &mut content {
                *position = Some(at);
            }
            Ok(Decoded::Envelope { content, body_at: inner_at + body_at })
        }
        _ => Err(EnvelopeError::Positioned),
    }
}

/// An envelope without its body.
struct Outer {
    kind: u8,
    fields: Fields,
    body_at: usize,
}

/// The envelope that these bytes begin with; `None` where they do not have the magic.
fn outer(bytes: &[u8]) -> Result<Option<Outer>, EnvelopeError> {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else { return Ok(None) };
    let (&[version, kind, high, low], rest) = rest.split_first_chunk::<4>().ok_or(EnvelopeError::Length)?;
    if !(OLDEST..=VERSION).contains(&version) {
        return Err(EnvelopeError::Version(version));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    let fields = Fields::read(rest.get(..length).ok_or(EnvelopeError::Length)?)?;
    Ok(Some(Outer { kind, fields, body_at: FIXED + length }))
}

/// The fields that this version knows.
#[derive(Default)]
struct Fields {
    payload: Option<PayloadKind>,
    origin: Option<(Incarnation, Option<SessionId>)>,
    sequence: Option<u64>,
    time: Option<u64>,
    previous: Option<u64>,
    trace: Option<TraceContext>,
    attributes: Option<Box<Attributes>>,
    position: Option<Position>,
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
            TAG_EVENT => set(&mut self.attributes().event, text(value)),
            TAG_TAGS => self.attributes().tags.is_empty() && self.take_tags(value),
            TAG_PUBLISHER => set(&mut self.attributes().publisher, publisher::decode(value)),
            TAG_EXCLUDE => set(&mut self.attributes().exclude, session(value)),
            TAG_POSITION => set(&mut self.position, position(value)),
            _ => true,
        };
        if understood { Ok(()) } else { Err(EnvelopeError::Field(tag)) }
    }

    fn attributes(&mut self) -> &mut Attributes {
        self.attributes.get_or_insert_default()
    }

    /// Whether tags were understood.
    fn take_tags(&mut self, mut rest: &[u8]) -> bool {
        let tags = &mut self.attributes().tags;
        while !rest.is_empty() {
            let Some((name, after)) = counted_text(rest) else { return false };
            let Some((value, after)) = counted_text(after) else { return false };
            tags.push((name, value));
            rest = after;
        }
        true
    }

    /// The news of a client.
    fn news(mut self, change: PresenceChange) -> Result<Content, EnvelopeError> {
        let attributes = self.attributes();
        attributes.presence = Some(change);
        if attributes.publisher.is_none() {
            return Err(EnvelopeError::Field(TAG_PUBLISHER));
        }
        self.publication()
    }

    fn publication(self) -> Result<Content, EnvelopeError> {
        let payload = self.payload.ok_or(EnvelopeError::Field(TAG_PAYLOAD_KIND))?;
        let (node, session) = self.origin.ok_or(EnvelopeError::Field(TAG_ORIGIN))?;
        let sequence = self.sequence.ok_or(EnvelopeError::Field(TAG_SEQUENCE))?;
        let origin = Origin { node, session, sequence };
        let Self { time, previous, trace, attributes, .. } = self;
        Ok(Content::Publication { payload, origin, time, previous, trace, attributes, position: None })
    }
}

/// Whether there is a value, and was none before.
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

fn session(value: &[u8]) -> Option<(Incarnation, SessionId)> {
    let (incarnation, session) = value.split_first_chunk::<8>()?;
    Some((Incarnation(u64::from_be_bytes(*incarnation)), SessionId(number(session)?)))
}

fn position(value: &[u8]) -> Option<Position> {
    let (epoch, offset) = value.split_first_chunk::<8>()?;
    Some(Position { epoch: Epoch(u64::from_be_bytes(*epoch)), offset: number(offset)? })
}

fn text(value: &[u8]) -> Option<String> {
    std::str::from_utf8(value).ok().map(str::to_owned)
}

/// A text behind its length, and the bytes behind the text.
fn counted_text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((text(value)?, rest))
}

fn payload_kind(value: &[u8]) -> Option<PayloadKind> {
    match value {
        [0] => Some(PayloadKind::Text),
        [1] => Some(PayloadKind::Binary),
        [2] => Some(PayloadKind::Json),
        _ => None,
    }
}
