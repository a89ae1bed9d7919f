//! Limits, and memory that grows only with the bytes that came.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::{DEFLATE, SERVER, client, client_frame, decode, deflated, error_of, fragmented};
use crate::{Config, Decoder, Event, FrameHead, MessageKind, Opcode, ProtocolError};

const LIMIT: usize = 1000;
const LIMITED: Config = Config { max_message: LIMIT, ..SERVER };
const LIMITED_DEFLATE: Config = Config { max_message: LIMIT, ..DEFLATE };
const TOO_BIG: ProtocolError = ProtocolError::MessageTooBig { limit: LIMIT };

fn compressed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let head = FrameHead { compressed: true, ..FrameHead::whole(Opcode::Binary) };
    client_frame(&mut out, head, &deflated(payload));
    out
}

/// Bytes that DEFLATE cannot make smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn a_message_may_reach_the_limit() {
    let exact = vec![b'x'; LIMIT];
    let over = vec![b'x'; LIMIT + 1];
    let event = Event::Binary(exact.clone().into());
    assert_eq!(decode(&LIMITED, &client(Opcode::Binary, &exact)), (vec![event.clone()], None));
    assert_eq!(error_of(&LIMITED, &client(Opcode::Binary, &over)), TOO_BIG);

    let in_fragments = |bytes: &[u8]| fragmented(MessageKind::Binary, false, bytes.chunks(7));
    assert_eq!(decode(&LIMITED, &in_fragments(&exact)), (vec![event.clone()], None));
    assert_eq!(error_of(&LIMITED, &in_fragments(&over)), TOO_BIG);

    assert_eq!(decode(&LIMITED_DEFLATE, &compressed(&exact)), (vec![event], None));
    assert_eq!(error_of(&LIMITED_DEFLATE, &compressed(&over)), TOO_BIG);
}

#[test]
fn a_declared_length_is_refused_at_once() {
    let frame = client(Opcode::Binary, &[0; LIMIT + 1]);
    assert_eq!(error_of(&LIMITED, &frame[..8]), TOO_BIG);
    // The largest possible length.
    assert_eq!(error_of(&LIMITED, b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"), TOO_BIG);
    // A later fragment counts from what came before it.
    let mut bytes = Vec::new();
    client_frame(&mut bytes, FrameHead { fin: false, ..FrameHead::whole(Opcode::Binary) }, &[0; LIMIT]);
    bytes.extend_from_slice(b"\x80\x81\0\0\0\0");
    assert_eq!(error_of(&LIMITED, &bytes), TOO_BIG);
}

#[test]
fn no_limit_is_a_limit_too() {
    let unlimited = Config { max_message: usize::MAX, ..SERVER };
    let bytes = client(Opcode::Binary, b"x");
    assert_eq!(decode(&unlimited, &bytes), (vec![Event::Binary(Bytes::from_static(b"x"))], None));
    // A declared length of 2^63 - 1 bytes allocates nothing.
    let huge = b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0abc";
    assert_eq!(decode(&unlimited, huge), (vec![], None));
    let nothing = Config { max_message: 0, ..DEFLATE };
    assert_eq!(decode(&nothing, &client(Opcode::Binary, b"")), (vec![Event::Binary(Bytes::new())], None));
    assert_eq!(decode(&nothing, &compressed(b"")), (vec![Event::Binary(Bytes::new())], None));
    assert_eq!(error_of(&nothing, &compressed(b"x")), ProtocolError::MessageTooBig { limit: 0 });
}

#[test]
fn a_decompression_bomb_is_refused() {
    let bomb = compressed(&vec![0; 16 << 20]);
    assert!(bomb.len() < 20_000, "{}", bomb.len());
    let config = Config { max_message: 64 * 1024, ..DEFLATE };
    assert_eq!(error_of(&config, &bomb), ProtocolError::MessageTooBig { limit: 64 * 1024 });
    // The inflater of the thread serves the next message as before.
    let event = Event::Binary(Bytes::from_static(b"Hello"));
    assert_eq!(decode(&config, &compressed(b"Hello")), (vec![event], None));
}

#[test]
fn noise_at_the_limit_may_be_compressed() {
    for length in [1, 900, 1 << 16, 1 << 20] {
        let config = Config { max_message: length, ..DEFLATE };
        let payload = noise(length);
        let bytes = compressed(&payload);
        assert!(bytes.len() > length);
        assert_eq!(decode(&config, &bytes), (vec![Event::Binary(payload.into())], None));
    }
}

#[test]
fn useless_compressed_bytes_are_not_inflated() {
    // Endless empty stored blocks inflate to nothing.
    let empty_blocks = b"\0\0\0\xff\xff".repeat(LIMIT);
    let mut bytes = Vec::new();
    let head = FrameHead { compressed: true, ..FrameHead::whole(Opcode::Binary) };
    client_frame(&mut bytes, head, &empty_blocks);
    assert_eq!(error_of(&LIMITED_DEFLATE, &bytes[..8]), TOO_BIG);
}

#[test]
fn a_message_of_65_536_fragments_passes() {
    let payload = noise(65_536);
    let bytes = fragmented(MessageKind::Binary, false, payload.chunks(1));
    assert_eq!(decode(&SERVER, &bytes), (vec![Event::Binary(payload.into())], None));
    let letters = "é".repeat(32_768);
    let bytes = fragmented(MessageKind::Text, false, letters.as_bytes().chunks(1));
    assert_eq!(decode(&SERVER, &bytes), (vec![Event::Text(letters.into())], None));
}

#[test]
fn a_large_message_fits_its_buffer() {
    let payload = noise(100_001);
    let frame = client(Opcode::Binary, &payload);
    let mut decoder = Decoder::new();
    let mut message = None;
    for piece in frame.chunks(1460) {
        let on_event = |event| {
            message = Some(event);
            ControlFlow::Continue(())
        };
        decoder.feed(&mut piece.to_vec(), &SERVER, on_event).unwrap();
    }
    let Some(Event::Binary(bytes)) = message else { panic!("{message:?}") };
    assert_eq!(bytes, payload);
    assert_eq!(Vec::from(bytes).capacity(), payload.len());
}
