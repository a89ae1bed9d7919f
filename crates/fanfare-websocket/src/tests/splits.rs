//! The same bytes mean the same, however they are split.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{CLIENT, DEFLATE, client_frame, decode, decode_pieces, deflated};
use crate::{Config, Event, FrameHead, MessageKind, Opcode, encode};

/// The bytes of a client, and the events that they must give.
#[derive(Debug, Clone)]
struct Sent {
    bytes: Vec<u8>,
    events: Vec<Event>,
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 0..40), 2 => vec(any::<u8>(), 100..400), 1 => vec(any::<u8>(), 65_500..65_600)]
}

fn control() -> impl Strategy<Value = Event> {
    (any::<bool>(), vec(any::<u8>(), 0..=125)).prop_map(|(ping, payload)| {
        let payload = Bytes::from(payload);
        if ping { Event::Ping(payload) } else { Event::Pong(payload) }
    })
}

fn message() -> impl Strategy<Value = (MessageKind, Vec<u8>)> {
    prop_oneof![
        ".{0,60}".prop_map(|text| (MessageKind::Text, text.into_bytes())),
        payload().prop_map(|payload| (MessageKind::Binary, payload)),
    ]
}

fn write_control(out: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Ping(payload) => client_frame(out, FrameHead::whole(Opcode::Ping), payload),
        Event::Pong(payload) => client_frame(out, FrameHead::whole(Opcode::Pong), payload),
        other => panic!("no control frame: {other:?}"),
    }
}

/// A message, compressed or not, cut into fragments, with control frames between them.
fn sent() -> impl Strategy<Value = Sent> {
    let cuts = vec((any::<Index>(), proptest::option::of(control())), 0..4);
    (message(), any::<bool>(), cuts).prop_map(|((kind, payload), compress, cuts)| {
        let on_wire = if compress { deflated(&payload) } else { payload.clone() };
        let mut cuts: Vec<_> =
            cuts.into_iter().map(|(at, event)| (at.index(on_wire.len() + 1), event)).collect();
        cuts.sort_by_key(|(at, _)| *at);
        let mut sent = Sent { bytes: Vec::new(), events: Vec::new() };
        let mut head = FrameHead { fin: false, compressed: compress, opcode: kind.into() };
        let mut start = 0;
        for (at, event) in cuts {
            client_frame(&mut sent.bytes, head, &on_wire[start..at]);
            head = FrameHead { fin: false, compressed: false, opcode: Opcode::Continuation };
            start = at;
            if let Some(event) = event {
                write_control(&mut sent.bytes, &event);
                sent.events.push(event);
            }
        }
        client_frame(&mut sent.bytes, FrameHead { fin: true, ..head }, &on_wire[start..]);
        sent.events.push(match kind {
            MessageKind::Text => Event::Text(payload.into()),
            MessageKind::Binary => Event::Binary(payload.into()),
        });
        sent
    })
}

/// Cuts the bytes at the indices.
fn split<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut start = 0;
    let mut pieces = Vec::new();
    for cut in cuts.into_iter().chain([bytes.len()]) {
        pieces.push(&bytes[start..cut]);
        start = cut;
    }
    pieces
}

/// Bytes that are nearly frames: headers with all flags, lengths about right, payloads of any kind.
fn nearly_frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        4 => proptest::sample::select(vec![0x81, 0x01, 0x80, 0x00, 0x82, 0xC1, 0x41, 0xC2, 0x89, 0x8A, 0x88]),
        1 => any::<u8>(),
    ];
    let length = prop_oneof![6 => 0x80u8..0x90, 1 => any::<u8>()];
    let frame = (first, length, vec(any::<u8>(), 0..24)).prop_map(|(first, length, mut rest)| {
        if length < 0x90 {
            rest.resize(4 + usize::from(length & 0x7F), 0);
        }
        [vec![first, length], rest].concat()
    });
    vec(frame, 0..8).prop_map(|frames| frames.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_events_that_were_sent(sent in vec(sent(), 0..4), cuts in vec(any::<Index>(), 0..12)) {
        let bytes = sent.iter().flat_map(|one| one.bytes.clone()).collect::<Vec<_>>();
        let events = sent.into_iter().flat_map(|one| one.events).collect::<Vec<_>>();
        prop_assert_eq!(decode_pieces(&DEFLATE, split(&bytes, &cuts)), (events, None));
    }

    #[test]
    fn single_bytes_give_the_same_events(sent in sent()) {
        prop_assert_eq!(decode_pieces(&DEFLATE, sent.bytes.chunks(1)), (sent.events, None));
    }

    #[test]
    fn garbage_fails_alike_in_any_split(
        bytes in prop_oneof![vec(any::<u8>(), 0..200), nearly_frames()],
        cuts in vec(any::<Index>(), 0..12),
        deflate: bool,
    ) {
        let config = Config { deflate, max_message: 64, ..DEFLATE };
        let whole = decode(&config, &bytes);
        prop_assert_eq!(&decode_pieces(&config, split(&bytes, &cuts)), &whole);
        prop_assert_eq!(&decode_pieces(&config, bytes.chunks(1)), &whole);
    }

    #[test]
    fn what_was_encoded_decodes_to_the_same((kind, payload) in message(), cuts in vec(any::<Index>(), 0..4)) {
        let mut bytes = Vec::new();
        encode::message(&mut bytes, kind, &payload);
        let event = match kind {
            MessageKind::Text => Event::Text(payload.into()),
            MessageKind::Binary => Event::Binary(payload.into()),
        };
        prop_assert_eq!(decode_pieces(&CLIENT, split(&bytes, &cuts)), (vec![event], None));
    }
}
