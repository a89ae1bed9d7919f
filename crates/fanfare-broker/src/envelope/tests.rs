use bytes::Bytes;
use fanfare_core::{
    Attributes, ClientId, Epoch, Incarnation, Origin, PayloadKind, Position, SessionId, TraceContext,
    attributes::PresenceChange, presence::PresenceEntry,
};
use proptest::prelude::*;

use super::{
    format::{FIXED, MAGIC, short},
    *,
};

const ORIGIN: Origin =
    Origin { node: Incarnation(0x0102_0304_0506_0708), session: Some(SessionId(9)), sequence: 10 };

/// Version 1, to the byte: a node that writes anything else splits the cluster.
const GOLDEN: &[u8] = &[
    0xC1, 0xFA, 1, 1, 0, 45, // magic, version, kind, length
    1, 0, 1, 0, // text
    2, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9, // origin
    3, 0, 8, 0, 0, 0, 0, 0, 0, 0, 10, // sequence
    4, 0, 8, 0, 0, 0, 0, 0, 0, 0, 11, // time
];

/// Version, trace, span, flags.
const TRACE: &[u8] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 2, 3, 4, 5, 6, 7, 8, 1];

/// The fields of [`attributes_of_all_kinds`].
const ATTRIBUTES: &[u8] = &[
    8, 0, 2, b'h', b'i', // event
    9, 0, 10, 0, 1, b'a', 0, 1, b'b', 0, 0, 0, 0, // tags
    10, 0, 24, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 7, 1, 0, 2, b'm', b'e', 3, 0,
    0, // publisher
    12, 0, 16, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, // exclude
];

fn attributes_of_all_kinds() -> Attributes {
    Attributes {
        exclude: Some((Incarnation(5), SessionId(6))),
        event: Some("hi".into()),
        tags: vec![("a".into(), "b".into()), (String::new(), String::new())],
        publisher: Some(PresenceEntry {
            client: ClientId { node: Incarnation(5), session: SessionId(7) },
            user: Some("me".into()),
            client_info: None,
            channel_info: Some(Bytes::new()),
        }),
        presence: None,
        idempotency_key: None,
    }
}

fn with_fields(kind: u8, fields: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xC1, 0xFA, 1, kind];
    bytes.extend_from_slice(&short(fields.len()));
    bytes.extend_from_slice(fields);
    bytes
}

#[test]
fn news_of_a_client_has_its_own_kind() {
    for (change, kind) in [(PresenceChange::Joined, 2), (PresenceChange::Left, 3)] {
        let news = Attributes { presence: Some(change), ..attributes_of_all_kinds() };
        let header = Header::publication(1, PayloadKind::Text, &ORIGIN, None, None, None);
        let bytes = header.with_attributes(&news).with_payload(b"");
        assert_eq!(bytes[3], kind);
        let Ok(Decoded::Envelope { content: Content::Publication { attributes, .. }, .. }) = decode(&bytes)
        else {
            panic!("{change:?} is not read")
        };
        assert_eq!(attributes.as_deref(), Some(&news));
    }
    assert_eq!(decode(&with_fields(2, &GOLDEN[FIXED..])), Err(EnvelopeError::Field(10)));
}

#[test]
fn version_1_is_fixed_to_the_byte() {
    let written =
        |trace| Header::publication(1, PayloadKind::Text, &ORIGIN, Some(11), None, trace).with_payload(b"");
    assert_eq!(written(None), GOLDEN);
    let traced = written(TraceContext::from_bytes(TRACE));
    assert_eq!(traced[FIXED..], [&GOLDEN[FIXED..], &[5, 0, 26], TRACE].concat());
    assert_eq!(
        Header::control(1, ORIGIN.node, None).with_payload(b""),
        [0xC1, 0xFA, 1, 4, 0, 11, 2, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]
    );
    let attributes = Header::publication(1, PayloadKind::Text, &ORIGIN, Some(11), None, None);
    let attributes = attributes.with_attributes(&attributes_of_all_kinds()).with_payload(b"");
    let [high, low] = short(GOLDEN.len() - FIXED + ATTRIBUTES.len());
    assert_eq!(attributes[..FIXED], [0xC1, 0xFA, 1, 1, high, low]);
    assert_eq!(attributes[FIXED..], [&GOLDEN[FIXED..], ATTRIBUTES].concat());
}

/// The beginning of [`GOLDEN`] at a position, to the byte.
const POSITIONED: &[u8] = &[
    0xC1, 0xFA, 1, 5, 0, 19, // magic, version, kind, length
    13, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 7, // epoch and offset
];

#[test]
fn a_position_is_fixed_to_the_byte() {
    let epoch = 0x0102_0304_0506_0708u64.to_be_bytes();
    assert_eq!([&positioned(1)[..], &epoch, &7u64.to_be_bytes()].concat(), POSITIONED);
    let position = Position { epoch: Epoch(0x0102_0304_0506_0708), offset: 7 };
    let content = Content::Publication {
        payload: PayloadKind::Text,
        origin: ORIGIN,
        time: Some(11),
        previous: None,
        trace: None,
        attributes: None,
        position: Some(position),
    };
    let bytes = [POSITIONED, GOLDEN, b"payload"].concat();
    let body_at = bytes.len() - b"payload".len();
    assert_eq!(decode(&bytes), Ok(Decoded::Envelope { content, body_at }));
}

#[test]
fn only_a_publication_has_a_position() {
    let control = Header::control(1, ORIGIN.node, None).with_payload(b"");
    let twice = [POSITIONED, GOLDEN].concat();
    for inner in [&b"plain"[..], b"", &control, &twice] {
        assert_eq!(decode(&[POSITIONED, inner].concat()), Err(EnvelopeError::Positioned));
    }
    for end in POSITIONED.len() + 2..POSITIONED.len() + GOLDEN.len() {
        assert_eq!(decode(&twice[..end]), Err(EnvelopeError::Length), "{end} bytes");
    }
    assert_eq!(decode(&[&with_fields(5, &[]), GOLDEN].concat()), Err(EnvelopeError::Field(13)));
    assert_eq!(decode(&[&with_fields(5, &[13, 0, 1, 7]), GOLDEN].concat()), Err(EnvelopeError::Field(13)));
    let of_the_future = [&[0xC1, 0xFA, 2], &GOLDEN[3..]].concat();
    assert_eq!(decode(&[POSITIONED, &of_the_future].concat()), Err(EnvelopeError::Version(2)));
}

#[test]
fn an_encoded_header_decodes_to_the_same() {
    for payload in [PayloadKind::Text, PayloadKind::Binary, PayloadKind::Json] {
        for session in [None, Some(SessionId(u64::MAX))] {
            let origin = Origin { session, ..ORIGIN };
            let previous = session.map(|session| session.0 - 1);
            let time = session.map(|_| u64::MAX);
            let trace = session.and_then(|_| TraceContext::from_bytes(TRACE));
            let attributes = session.map(|_| Box::new(attributes_of_all_kinds()));
            let mut header = Header::publication(1, payload, &origin, time, previous, trace);
            if let Some(attributes) = &attributes {
                header = header.with_attributes(attributes);
            }
            let bytes = header.with_payload(b"payload");
            let content =
                Content::Publication { payload, origin, time, previous, trace, attributes, position: None };
            let body_at = bytes.len() - b"payload".len();
            assert_eq!(decode(&bytes), Ok(Decoded::Envelope { content, body_at }));
        }
    }
    let header = Header::control(1, ORIGIN.node, None).with_payload(b"");
    let content = Content::Control { from: ORIGIN.node, sequence: None };
    assert_eq!(decode(&header), Ok(Decoded::Envelope { content, body_at: 17 }));
}

#[test]
fn bytes_without_the_magic_are_foreign() {
    for bytes in [&b""[..], b"hello", b"\xC1", b"\xFA\xC1", b"{}"] {
        assert_eq!(decode(bytes), Ok(Decoded::Foreign));
    }
}

#[test]
fn every_truncation_of_the_header_is_an_error() {
    for end in 2..GOLDEN.len() {
        assert_eq!(decode(&GOLDEN[..end]), Err(EnvelopeError::Length), "{end} bytes");
    }
}

#[test]
fn unknown_versions_and_kinds_are_errors() {
    for version in [0, 2, 255] {
        let mut bytes = GOLDEN.to_vec();
        bytes[2] = version;
        assert_eq!(decode(&bytes), Err(EnvelopeError::Version(version)));
    }
    for kind in [0, 6] {
        assert_eq!(decode(&with_fields(kind, &[])), Err(EnvelopeError::Kind(kind)));
    }
}

#[test]
fn unknown_tags_are_skipped() {
    decodes_with(&[7, 0, 2, 7, 7, 200, 0, 0], None);
}

/// [`GOLDEN`] with further fields.
#[track_caller]
fn decodes_with(more: &[u8], trace: Option<TraceContext>) {
    let fields = [more, &GOLDEN[FIXED..]].concat();
    let body_at = FIXED + fields.len();
    let (payload, origin) = (PayloadKind::Text, ORIGIN);
    let (time, previous, attributes) = (Some(11), None, None);
    let content = Content::Publication { payload, origin, time, previous, trace, attributes, position: None };
    assert_eq!(decode(&with_fields(1, &fields)), Ok(Decoded::Envelope { content, body_at }));
}

#[test]
fn an_unknown_trace_context_is_skipped() {
    let field = |value: &[u8]| [&[5, 0, value.len() as u8], value].concat();
    decodes_with(&field(TRACE), TraceContext::from_bytes(TRACE));
    let of_the_future = [&[1], &TRACE[1..]].concat();
    let of_no_trace = [&[0; 17], &TRACE[17..]].concat();
    for value in [&[][..], &TRACE[..25], &[TRACE, &[0]].concat(), &of_the_future, &of_no_trace] {
        decodes_with(&field(value), None);
    }
    decodes_with(&[field(&[]), field(TRACE)].concat(), TraceContext::from_bytes(TRACE));
}

#[test]
fn missing_doubled_and_malformed_fields_are_errors() {
    let field = |tag: u8, value: &[u8]| {
        let [high, low] = short(value.len());
        [&[tag, high, low][..], value].concat()
    };
    let kind = field(1, &[1]);
    let origin = field(2, &[0; 8]);
    let sequence = field(3, &[0; 8]);
    for (fields, tag) in [
        ([&origin[..], &sequence].concat(), 1),
        ([&kind[..], &sequence].concat(), 2),
        ([&kind[..], &origin].concat(), 3),
        ([&kind[..], &kind, &origin, &sequence].concat(), 1),
        ([&field(1, &[3])[..], &origin, &sequence].concat(), 1),
        ([&field(1, &[])[..], &origin, &sequence].concat(), 1),
        ([&kind[..], &field(2, &[0; 9]), &sequence].concat(), 2),
        ([&kind[..], &origin, &field(3, &[0; 7])].concat(), 3),
        ([&kind[..], &origin, &sequence, &field(4, &[])].concat(), 4),
        ([&kind[..], &origin, &sequence, &field(8, b"\xff")].concat(), 8),
        ([&kind[..], &origin, &sequence, &field(8, b"a"), &field(8, b"a")].concat(), 8),
        ([&kind[..], &origin, &sequence, &field(9, &[0, 1, b'a'])].concat(), 9),
        ([&kind[..], &origin, &sequence, &field(9, &[0, 0, 0, 2, b'a'])].concat(), 9),
        ([&kind[..], &origin, &sequence, &field(12, &[0; 15])].concat(), 12),
    ] {
        assert_eq!(decode(&with_fields(1, &fields)), Err(EnvelopeError::Field(tag)));
    }
    assert_eq!(decode(&with_fields(4, &kind)), Err(EnvelopeError::Field(2)));
    assert_eq!(decode(&with_fields(1, &[1, 0, 2, 0])), Err(EnvelopeError::Length));
}

proptest! {
    #[test]
    fn no_bytes_panic_and_no_magic_is_relayed(tail: Vec<u8>) {
        let bytes = [&MAGIC[..], &tail].concat();
        prop_assert_ne!(decode(&bytes), Ok(Decoded::Foreign));
    }
}
