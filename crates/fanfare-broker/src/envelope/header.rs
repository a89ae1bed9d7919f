//! How an envelope's header is written.

use fanfare_core::{
    Attributes, Incarnation, Origin, PayloadKind, SessionId, TraceContext, attributes::PresenceChange,
};

use super::{
    format::{
        FIXED, KIND_CONTROL, KIND_JOINED, KIND_LEFT, KIND_POSITIONED, KIND_PUBLICATION, MAGIC, TAG_EVENT,
        TAG_EXCLUDE, TAG_ORIGIN, TAG_PAYLOAD_KIND, TAG_POSITION, TAG_PREVIOUS, TAG_PUBLISHER, TAG_SEQUENCE,
        TAG_TAGS, TAG_TIME, TAG_TRACE, short,
    },
    publisher,
};

/// An encoded header; the payload's bytes follow it.
///
/// Invariant: without attributes nothing is allocated.
#[derive(Debug, Clone)]
pub struct Header {
    bytes: [u8; Header::CAPACITY],
    len: usize,
    /// The fields of the attributes, which follow the others.
    attributes: Vec<u8>,
}

impl Header {
    /// The fixed part and each field at its longest, but those of attributes.
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

    /// The header of a control message, in envelope version `version`. Where the sender sends it more than once, it has a
    /// sequence.
    #[must_use]
    pub fn control(version: u8, from: Incarnation, sequence: Option<u64>) -> Self {
        let mut header = Self::new(version, KIND_CONTROL);
        header.field(TAG_ORIGIN, &from.0.to_be_bytes(), &[]);
        if let Some(sequence) = sequence {
            header.field(TAG_SEQUENCE, &sequence.to_be_bytes(), &[]);
        }
        header.finish()
    }

    /// The same with the fields of these attributes.
    #[must_use]
    pub fn with_attributes(mut self, attributes: &Attributes) -> Self {
        let out = &mut self.attributes;
        if let Some(event) = &attributes.event {
            append_field(out, TAG_EVENT, event.len(), [event.as_bytes()]);
        }
        if !attributes.tags.is_empty() {
            let parts = || attributes.tags.iter().flat_map(|(name, value)| [name, value]);
            let lengths: Vec<_> = parts().map(|part| short(part.len())).collect();
            let parts = lengths.iter().zip(parts()).flat_map(|(length, part)| [&length[..], part.as_bytes()]);
            let length = parts.clone().map(<[u8]>::len).sum();
            append_field(out, TAG_TAGS, length, parts);
        }
        if let Some(publisher) = &attributes.publisher {
            let publisher = publisher::encode(publisher);
            append_field(out, TAG_PUBLISHER, publisher.len(), [&publisher[..]]);
        }
        if let Some((Incarnation(node), SessionId(session))) = attributes.exclude {
            append_field(out, TAG_EXCLUDE, 16, [&node.to_be_bytes()[..], &session.to_be_bytes()]);
        }
        match attributes.presence {
            None => {}
            Some(PresenceChange::Joined) => self.set_kind(KIND_JOINED),
            Some(PresenceChange::Left) => self.set_kind(KIND_LEFT),
        }
        self.finish()
    }

    fn set_kind(&mut self, kind: u8) {
        if let Some(place) = self.bytes.get_mut(FIXED - 3) {
            *place = kind;
        }
    }

    /// The header's bytes, in two parts.
    #[must_use]
    pub fn parts(&self) -> [&[u8]; 2] {
        [self.bytes.get(..self.len).unwrap_or_default(), &self.attributes]
    }

    /// The header's bytes and the payload's, as one message.
    #[must_use]
    pub fn with_payload(&self, payload: &[u8]) -> Vec<u8> {
        let [fields, attributes] = self.parts();
        [fields, attributes, payload].concat()
    }

    fn new(version: u8, kind: u8) -> Self {
        let mut header = Self { bytes: [0; Self::CAPACITY], len: 0, attributes: Vec::new() };
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
        let length = short(self.len - FIXED + self.attributes.len());
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

/// The beginning of the envelope that gives a position to the publication in it. Epoch and offset follow, in eight bytes
/// each, then the publication's own envelope.
#[must_use]
pub fn positioned(version: u8) -> [u8; FIXED + 3] {
    let [magic, magic_too] = MAGIC;
    [magic, magic_too, version, KIND_POSITIONED, 0, 19, TAG_POSITION, 0, 16]
}

fn append_field<'a>(out: &mut Vec<u8>, tag: u8, length: usize, parts: impl IntoIterator<Item = &'a [u8]>) {
    let [high, low] = short(length);
    out.extend_from_slice(&[tag, high, low]);
    parts.into_iter().for_each(|part| out.extend_from_slice(part));
}

fn payload_number(kind: PayloadKind) -> u8 {
    match kind {
        PayloadKind::Text => 0,
        PayloadKind::Binary => 1,
        PayloadKind::Json => 2,
    }
}
