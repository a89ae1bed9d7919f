//! permessage-deflate (RFC 7692).

use std::ops::ControlFlow;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{DEFLATE, KEY, client_frame, decode, decode_pieces, deflated, error_of, fragmented, text};
use crate::deflate::{Compressor, MAX_AT_ONCE, MIN_COMPRESSED};
use crate::frame::encoded_len;
use crate::{Config, Decoder, Event, FrameHead, MessageKind, Opcode, ProtocolError, Role, encode};

fn client_text(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::frame(
        &mut out,
        FrameHead { fin: true, compressed: true, opcode: Opcode::Text },
        payload,
        Some(KEY),
    );
    out
}

#[test]
fn the_examples_of_section_7_2_3_inflate() {
    let one_block = b"\xf2\x48\xcd\xc9\xc9\x07\x00".as_slice();
    let stored = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
    let final_block = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
    let two_blocks = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
    for payload in [one_block, stored, final_block, two_blocks] {
        assert_eq!(decode(&DEFLATE, &client_text(payload)), (vec![text("Hello")], None));
    }
    let fragments = fragmented(MessageKind::Text, true, [&one_block[..3], &one_block[3..]]);
    assert_eq!(decode(&DEFLATE, &fragments), (vec![text("Hello")], None));
    assert_eq!(decode(&DEFLATE, &client_text(b"\x00")), (vec![text("")], None));
}

#[test]
fn a_message_may_have_final_blocks() {
    let without_padding = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
    assert_eq!(decode(&DEFLATE, &client_text(without_padding)), (vec![text("Hello")], None));
    let twice = without_padding.repeat(2);
    assert_eq!(decode(&DEFLATE, &client_text(&twice)), (vec![text("HelloHello")], None));
}

#[test]
fn final_blocks_without_end_are_refused() {
    // Each has two bytes, and carries no data.
    let empty = b"\x03\x00";
    assert_eq!(decode(&DEFLATE, &client_text(&empty.repeat(64))), (vec![text("")], None));
    for blocks in [65, 100_000] {
        let bytes = client_text(&empty.repeat(blocks));
        assert_eq!(error_of(&DEFLATE, &bytes), ProtocolError::FinalBlocks);
        let (events, error) = decode_pieces(&DEFLATE, bytes.chunks(10_000));
        assert_eq!((events, error), (vec![], Some(ProtocolError::FinalBlocks)), "{blocks}");
    }
}

#[test]
fn a_large_message_is_inflated_as_it_comes() {
    let payload: Vec<u8> = (0..80_000u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
    let compressed = deflated(&payload);
    assert!(compressed.len() > 2 * MAX_AT_ONCE, "{}", compressed.len());
    let (start, end) = compressed.split_at(MAX_AT_ONCE + 1);
    for pieces in [vec![start, end], vec![&start[..10], &start[10..], b"", end, b""]] {
        let bytes = fragmented(MessageKind::Binary, true, pieces);
        let expected = (vec![Event::Binary(payload.clone().into())], None);
        assert_eq!(decode_pieces(&DEFLATE, bytes.chunks(60_000)), expected);
    }
    let mut decoder = Decoder::new();
    let mut bytes = fragmented(MessageKind::Binary, true, [start, end]);
    let before = start.len() + 14;
    decoder.feed(&mut bytes[..before], &DEFLATE, |_| ControlFlow::Continue(())).unwrap();
    assert!(decoder.held() > MAX_AT_ONCE, "its output is held: {}", decoder.held());
    let small = Config { max_message: MAX_AT_ONCE + 5000, ..DEFLATE };
    let zeros = fragmented(MessageKind::Binary, true, [start, &deflated(&[0; 100_000])]);
    let (_, error) = decode_pieces(&small, zeros.chunks(60_000));
    assert_eq!(error, Some(ProtocolError::MessageTooBig { limit: MAX_AT_ONCE + 5000 }));
}

#[test]
fn a_reference_to_an_earlier_message_is_refused() {
    // Section 7.2.3.2: "Hello" again, compressed with the context of the first.
    let mut bytes = client_text(b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    bytes.extend(client_text(b"\xf2\x00\x11\x00\x00"));
    assert_eq!(decode(&DEFLATE, &bytes), (vec![text("Hello")], Some(ProtocolError::Inflate)));
}

#[test]
fn invalid_deflate_spoils_no_other_message() {
    assert_eq!(error_of(&DEFLATE, &client_text(b"\xff\xff\xff")), ProtocolError::Inflate);
    assert_eq!(decode(&DEFLATE, &client_text(&deflated(b"fine"))), (vec![text("fine")], None));
}

#[test]
fn compressed_text_must_be_utf8() {
    assert_eq!(error_of(&DEFLATE, &client_text(&deflated(b"\xf4\x90\x80\x80"))), ProtocolError::TextNotUtf8);
}

#[test]
fn only_a_first_fragment_says_compressed() {
    let mut bytes = Vec::new();
    client_frame(&mut bytes, FrameHead { fin: false, compressed: true, opcode: Opcode::Text }, b"\xf2\x48");
    client_frame(&mut bytes, FrameHead { fin: true, compressed: true, opcode: Opcode::Continuation }, b"");
    assert_eq!(error_of(&DEFLATE, &bytes), ProtocolError::ReservedBit);
    let mut ping = Vec::new();
    client_frame(&mut ping, FrameHead { fin: true, compressed: true, opcode: Opcode::Ping }, b"");
    assert_eq!(error_of(&DEFLATE, &ping), ProtocolError::ReservedBit);
}

#[test]
fn plain_messages_pass_where_compression_was_negotiated() {
    let mut bytes = Vec::new();
    client_frame(&mut bytes, FrameHead::whole(Opcode::Text), b"plain");
    assert_eq!(decode(&DEFLATE, &bytes), (vec![text("plain")], None));
}

#[test]
fn shared_messages_inflate_without_context() {
    let reader = Config { role: Role::Client, ..DEFLATE };
    let message = r#"{"channel":"prices","symbol":"EURUSD","bid":1.0823,"ask":1.0825}"#.repeat(20);
    let mut compressor = Compressor::new();
    let mut first = Vec::new();
    encode::compressed(&mut first, MessageKind::Text, message.as_bytes(), &mut compressor);
    assert!(first.len() < message.len() / 4, "{} of {}", first.len(), message.len());
    let mut second = Vec::new();
    encode::compressed(&mut second, MessageKind::Text, message.as_bytes(), &mut compressor);
    assert_eq!(first, second);
    assert_eq!(decode(&reader, &second), (vec![text(&message)], None));
}

#[test]
fn incompressible_messages_are_sent_plain() {
    let mut compressor = Compressor::new();
    assert!(compressor.compress(&[b'x'; MIN_COMPRESSED - 1]).is_none());
    assert!(compressor.compress(&[b'x'; MIN_COMPRESSED]).is_some());
    let noise: Vec<u8> =
        deflated(&(0..20_000u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect::<Vec<_>>());
    assert!(noise.len() > MIN_COMPRESSED);
    assert!(compressor.compress(&noise).is_none());
    let (mut shared, mut plain) = (Vec::new(), Vec::new());
    encode::compressed(&mut shared, MessageKind::Binary, &noise, &mut compressor);
    encode::message(&mut plain, MessageKind::Binary, &noise);
    assert_eq!(shared, plain);
}

/// Payloads from compressible to noise, about the lengths where the buffer for the result is tight.
fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let noise = vec(any::<u8>(), MIN_COMPRESSED..6000);
    let letters = vec(b'a'..b'f', MIN_COMPRESSED..6000);
    let large = vec(any::<u8>(), 60_000..80_000);
    vec(prop_oneof![4 => noise, 4 => letters, 1 => large], 1..6)
}

proptest! {
    #[test]
    fn one_compressor_serves_any_messages_one_after_another(payloads in payloads()) {
        let reader = Config { role: Role::Client, ..DEFLATE };
        let mut compressor = Compressor::new();
        for payload in payloads {
            let mut frame = Vec::new();
            encode::compressed(&mut frame, MessageKind::Binary, &payload, &mut compressor);
            prop_assert!(frame.len() <= encoded_len(payload.len(), false));
            prop_assert_eq!(decode(&reader, &frame), (vec![Event::Binary(payload.into())], None));
        }
    }
}
