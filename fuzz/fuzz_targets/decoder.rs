//! Any bytes, in any split, give what they give in one piece, and never a panic.
#![no_main]

use std::ops::ControlFlow;

use fanfare_websocket::{Config, Decoder, Event, ProtocolError, Role};
use libfuzzer_sys::fuzz_target;

/// Large enough for 16-bit lengths, small enough that the fuzzer reaches it.
const MAX_MESSAGE: usize = 1000;

fn decode<'a>(
    config: &Config,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Event>, Option<ProtocolError>) {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for piece in pieces {
        let on_event = |event| {
            events.push(event);
            ControlFlow::Continue(())
        };
        if let Err(error) = decoder.feed(&mut piece.to_vec(), config, on_event) {
            assert!(error.to_string().len() <= 123, "{error}");
            return (events, Some(error));
        }
    }
    (events, None)
}

/// Pieces of these lengths, which repeat; without lengths, one piece.
fn pieces<'a>(mut bytes: &'a [u8], lengths: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let length =
            lengths.next().map_or(bytes.len(), |length| usize::from(*length).max(1)).min(bytes.len());
        let (piece, rest) = bytes.split_at(length);
        bytes = rest;
        Some(piece)
    })
}

/// Breaks off after every event, and feeds the rest again.
fn decode_one_by_one(config: &Config, bytes: &[u8]) -> (Vec<Event>, Option<ProtocolError>) {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    let mut bytes = bytes.to_vec();
    let mut rest = bytes.as_mut_slice();
    while !rest.is_empty() {
        let on_event = |event| {
            events.push(event);
            ControlFlow::Break(())
        };
        match decoder.feed(rest, config, on_event) {
            Ok(consumed) => rest = &mut rest[consumed..],
            Err(error) => return (events, Some(error)),
        }
    }
    (events, None)
}

fuzz_target!(|input: (bool, bool, Vec<u8>, &[u8])| {
    let (client, deflate, lengths, bytes) = input;
    let role = if client { Role::Client } else { Role::Server };
    let config = Config { role, max_message: MAX_MESSAGE, deflate };
    let whole = decode(&config, std::iter::once(bytes));
    for event in &whole.0 {
        match event {
            Event::Text(payload) => {
                assert!(payload.len() <= MAX_MESSAGE && std::str::from_utf8(payload).is_ok());
            }
            Event::Binary(payload) => assert!(payload.len() <= MAX_MESSAGE),
            Event::Fragment => {}
            Event::Ping(payload) | Event::Pong(payload) => assert!(payload.len() <= 125),
            Event::Close(frame) => assert!(frame.as_ref().is_none_or(|frame| frame.code.may_be_received())),
        }
    }
    assert_eq!(decode(&config, pieces(bytes, &lengths)), whole);
    assert_eq!(decode(&config, bytes.chunks(1)), whole);
    assert_eq!(decode_one_by_one(&config, bytes), whole);
});
