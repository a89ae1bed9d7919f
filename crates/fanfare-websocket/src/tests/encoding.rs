//! Frames on the wire.

use super::{CLIENT, KEY, decode, text};
use crate::{CloseCode, CloseFrame, Event, FrameHead, MessageKind, Opcode, encode, frame::encoded_len};

fn encoded(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[test]
fn the_examples_of_section_5_7_are_written() {
    assert_eq!(encoded(|out| encode::text(out, "Hello")), b"\x81\x05Hello");
    assert_eq!(encoded(|out| encode::ping(out, b"Hello")), b"\x89\x05Hello");
    assert_eq!(
        encoded(|out| encode::frame(out, FrameHead::whole(Opcode::Pong), b"Hello", Some(KEY))),
        b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    );
    let fragment = FrameHead { fin: false, ..FrameHead::whole(Opcode::Text) };
    assert_eq!(encoded(|out| encode::frame(out, fragment, b"Hel", None)), b"\x01\x03Hel");
    assert_eq!(encoded(|out| encode::binary(out, &[7; 256]))[..5], *b"\x82\x7e\x01\x00\x07");
    assert_eq!(encoded(|out| encode::binary(out, &[7; 65_536]))[..11], *b"\x82\x7f\0\0\0\0\0\x01\0\0\x07");
}

#[test]
fn the_length_takes_the_fewest_bytes() {
    for length in [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 70_000] {
        let payload = vec![b'x'; length];
        let frame = encoded(|out| encode::message(out, MessageKind::Text, &payload));
        assert_eq!(frame.len(), encoded_len(length, false));
        assert_eq!(decode(&CLIENT, &frame), (vec![Event::Text(payload.into())], None));
    }
}

#[test]
fn a_frame_is_written_with_one_reservation() {
    let mut out = Vec::new();
    encode::frame(&mut out, FrameHead::whole(Opcode::Text), &[b'x'; 1000], Some(KEY));
    assert_eq!(out.len(), 2 + 2 + 4 + 1000);
    assert_eq!(out.capacity(), out.len());
}

#[test]
fn frames_are_appended() {
    let frames = encoded(|out| {
        encode::text(out, "one");
        encode::pong(out, b"p");
        encode::close(out, CloseCode::TRY_AGAIN_LATER, "later");
    });
    let closed = CloseFrame { code: CloseCode::TRY_AGAIN_LATER, reason: "later".to_owned() };
    let expected = vec![text("one"), Event::Pong(b"p".as_slice().into()), Event::Close(Some(closed))];
    assert_eq!(decode(&CLIENT, &frames), (expected, None));
}

#[test]
fn control_frames_never_exceed_125_bytes() {
    let long_reason = encoded(|out| encode::close(out, CloseCode::NORMAL, &"é".repeat(100)));
    let expected = CloseFrame { code: CloseCode::NORMAL, reason: "é".repeat(61) };
    assert_eq!(decode(&CLIENT, &long_reason), (vec![Event::Close(Some(expected))], None));
    assert_eq!(encoded(encode::close_empty), b"\x88\x00");
    assert_eq!(encoded(|out| encode::ping(out, &[0; 200])).len(), 127);
}
