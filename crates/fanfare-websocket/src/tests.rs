//! Tests of decoder and encoder together.

mod compressed;
mod decoding;
mod encoding;
mod limits;
mod splits;

use std::ops::ControlFlow;

use flate2::{Compress, Compression, FlushCompress};

use crate::{Config, Decoder, Event, FrameHead, MessageKind, Opcode, ProtocolError, Role, encode};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

const SERVER: Config = Config { role: Role::Server, max_message: 1 << 20, deflate: false };
const CLIENT: Config = Config { role: Role::Client, ..SERVER };
const DEFLATE: Config = Config { deflate: true, ..SERVER };

/// The events, and the error that ended them, if any.
type Outcome = (Vec<Event>, Option<ProtocolError>);

/// Feeds the pieces to a new decoder. The messages and control frames.
fn decode_pieces<'a>(config: &Config, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut events, error) = decode_frames(config, pieces);
    events.retain(|event| *event != Event::Fragment);
    (events, error)
}

/// Feeds the pieces to a new decoder. An event for each frame.
fn decode_frames<'a>(config: &Config, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for piece in pieces {
        let on_event = |event| {
            events.push(event);
            ControlFlow::Continue(())
        };
        let mut input = piece.to_vec();
        match decoder.feed(&mut input, config, on_event) {
            Ok(consumed) => assert_eq!(consumed, piece.len()),
            Err(error) => return (events, Some(error)),
        }
    }
    (events, None)
}

fn decode(config: &Config, bytes: &[u8]) -> Outcome {
    decode_pieces(config, [bytes])
}

/// The error that one frame of a client gives, with no event before it.
fn error_of(config: &Config, bytes: &[u8]) -> ProtocolError {
    let (events, error) = decode(config, bytes);
    assert_eq!(events, []);
    error.expect("an error")
}

fn client_frame(out: &mut Vec<u8>, head: FrameHead, payload: &[u8]) {
    encode::frame(out, head, payload, Some(KEY));
}

fn client(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    client_frame(&mut out, FrameHead::whole(opcode), payload);
    out
}

/// A client's message in fragments.
fn fragmented<'a>(
    kind: MessageKind,
    compressed: bool,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut pieces = pieces.into_iter().peekable();
    let mut opcode = kind.into();
    while let Some(piece) = pieces.next() {
        let compressed = compressed && opcode != Opcode::Continuation;
        client_frame(&mut out, FrameHead { fin: pieces.peek().is_none(), compressed, opcode }, piece);
        opcode = Opcode::Continuation;
    }
    out
}

/// Compresses as RFC 7692 section 7.2.1 says, whatever the length.
fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + payload.len() / 100 + 100);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
    assert_eq!(compress.total_in(), payload.len() as u64);
    assert!(out.ends_with(&[0, 0, 0xFF, 0xFF]));
    out.truncate(out.len() - 4);
    out
}

fn text(text: &str) -> Event {
    Event::Text(text.to_owned().into())
}
