//! The rules of RFC 6455, frame by frame.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::{CLIENT, KEY, SERVER, client, client_frame, decode, decode_frames, error_of, fragmented, text};
use crate::{CloseCode, CloseFrame, Decoder, Event, FrameHead, MessageKind, Opcode, ProtocolError};

const HELLO: Event = Event::Text(Bytes::from_static(b"Hello"));

#[test]
fn the_examples_of_section_5_7_decode() {
    let frames = [b"\x81\x05Hello".as_slice(), b"\x01\x03Hel\x80\x02lo"];
    for bytes in frames {
        assert_eq!(decode(&CLIENT, bytes), (vec![HELLO], None));
    }
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(decode(&SERVER, masked), (vec![HELLO], None));
    let hello = Bytes::from_static(b"Hello");
    assert_eq!(decode(&CLIENT, b"\x89\x05Hello"), (vec![Event::Ping(hello.clone())], None));
    let pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(decode(&SERVER, pong), (vec![Event::Pong(hello)], None));

    let kilo = [b"\x82\x7e\x01\x00".as_slice(), &[7; 256]].concat();
    assert_eq!(decode(&CLIENT, &kilo), (vec![Event::Binary(vec![7; 256].into())], None));
    let large = [b"\x82\x7f\0\0\0\0\0\x01\0\0".as_slice(), &[7; 65_536]].concat();
    assert_eq!(decode(&CLIENT, &large), (vec![Event::Binary(vec![7; 65_536].into())], None));
}

#[test]
fn an_empty_message_is_a_message() {
    assert_eq!(decode(&SERVER, &client(Opcode::Text, b"")), (vec![text("")], None));
    assert_eq!(decode(&SERVER, &client(Opcode::Binary, b"")), (vec![Event::Binary(Bytes::new())], None));
    let empty = fragmented(MessageKind::Text, false, [b"".as_slice(), b"", b""]);
    assert_eq!(decode(&SERVER, &empty), (vec![text("")], None));
}

#[test]
fn control_frames_may_come_between_fragments() {
    let mut bytes = Vec::new();
    client_frame(&mut bytes, FrameHead { fin: false, ..FrameHead::whole(Opcode::Text) }, b"one ");
    client_frame(&mut bytes, FrameHead::whole(Opcode::Ping), b"p");
    client_frame(&mut bytes, FrameHead { fin: false, ..FrameHead::whole(Opcode::Continuation) }, b"two ");
    client_frame(&mut bytes, FrameHead::whole(Opcode::Pong), b"");
    client_frame(&mut bytes, FrameHead::whole(Opcode::Continuation), b"three");
    let ping = Event::Ping(Bytes::from_static(b"p"));
    let expected = vec![ping, Event::Pong(Bytes::new()), text("one two three")];
    assert_eq!(decode(&SERVER, &bytes), (expected, None));
}

#[test]
fn each_frame_is_one_event() {
    let fragments = [b"one".as_slice(), b"", b"", b"three"];
    let mut bytes = fragmented(MessageKind::Text, false, fragments);
    bytes.extend(client(Opcode::Ping, b""));
    bytes.extend(client(Opcode::Text, b"whole"));
    let ping = Event::Ping(Bytes::new());
    let events =
        [Event::Fragment, Event::Fragment, Event::Fragment, text("onethree"), ping, text("whole")].to_vec();
    assert_eq!(decode_frames(&SERVER, [&bytes[..]]), (events.clone(), None));
    assert_eq!(decode_frames(&SERVER, bytes.chunks(1)), (events, None));
}

#[test]
fn only_clients_mask_their_frames() {
    assert_eq!(error_of(&SERVER, b"\x81\x05Hello"), ProtocolError::NotMasked);
    assert_eq!(error_of(&CLIENT, &client(Opcode::Text, b"Hello")), ProtocolError::Masked);
}

#[test]
fn reserved_bits_and_opcodes_are_refused() {
    for first in [0xC1, 0xA1, 0x91, 0xC0, 0xC9] {
        assert_eq!(error_of(&SERVER, &[first, 0x80]), ProtocolError::ReservedBit);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_eq!(error_of(&SERVER, &[0x80 | opcode, 0x80]), ProtocolError::ReservedOpcode(opcode));
    }
}

#[test]
fn control_frames_are_whole_and_short() {
    for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
        let bits = opcode as u8;
        assert_eq!(error_of(&SERVER, &[bits, 0x80]), ProtocolError::ControlFragmented);
        assert_eq!(error_of(&SERVER, &[0x80 | bits, 0xFE]), ProtocolError::ControlTooLong);
    }
    let longest = Event::Ping(vec![b'x'; 125].into());
    assert_eq!(decode(&SERVER, &client(Opcode::Ping, &[b'x'; 125])), (vec![longest], None));
}

#[test]
fn lengths_are_minimal_and_have_no_top_bit() {
    assert_eq!(error_of(&SERVER, b"\x82\xfe\x00\x7d"), ProtocolError::LengthNotMinimal);
    assert_eq!(error_of(&SERVER, b"\x82\xff\0\0\0\0\0\0\xff\xff"), ProtocolError::LengthNotMinimal);
    assert_eq!(error_of(&SERVER, b"\x82\xff\x80\0\0\0\0\x01\0\0"), ProtocolError::LengthTopBit);
}

#[test]
fn fragments_follow_one_another() {
    assert_eq!(error_of(&SERVER, &client(Opcode::Continuation, b"x")), ProtocolError::NothingToContinue);
    let mut bytes = Vec::new();
    client_frame(&mut bytes, FrameHead { fin: false, ..FrameHead::whole(Opcode::Text) }, b"x");
    client_frame(&mut bytes, FrameHead::whole(Opcode::Text), b"y");
    assert_eq!(error_of(&SERVER, &bytes), ProtocolError::MessageUnfinished);
    // A continuation after a whole message has nothing to continue either.
    let mut bytes = client(Opcode::Text, b"x");
    bytes.extend(client(Opcode::Continuation, b"y"));
    assert_eq!(decode(&SERVER, &bytes), (vec![text("x")], Some(ProtocolError::NothingToContinue)));
}

#[test]
fn a_close_frame_is_the_last_event() {
    let mut bytes = client(Opcode::Close, b"\x03\xe9bye");
    bytes.extend(client(Opcode::Text, b"more"));
    bytes.extend(b"\xff\xff");
    let frame = CloseFrame { code: CloseCode::GOING_AWAY, reason: "bye".to_owned() };
    assert_eq!(decode(&SERVER, &bytes), (vec![Event::Close(Some(frame))], None));
    assert_eq!(decode(&SERVER, &client(Opcode::Close, b"")), (vec![Event::Close(None)], None));
}

#[test]
fn a_bad_close_frame_is_refused() {
    assert_eq!(error_of(&SERVER, &client(Opcode::Close, b"\x03")), ProtocolError::CloseTooShort);
    assert_eq!(error_of(&SERVER, &client(Opcode::Close, b"\x03\xee")), ProtocolError::CloseCode(1006));
    let bad_reason = client(Opcode::Close, b"\x03\xe8\xce\xba\xe1");
    assert_eq!(error_of(&SERVER, &bad_reason), ProtocolError::CloseReasonNotUtf8);
}

#[test]
fn after_an_error_nothing_is_decoded() {
    let mut decoder = Decoder::new();
    let ignore = |_| ControlFlow::Continue(());
    assert!(decoder.feed(&mut [0xF1, 0x80], &SERVER, ignore).is_err());
    assert!(decoder.is_ended());
    let mut more = client(Opcode::Text, b"x");
    let consumed = decoder.feed(&mut more, &SERVER, |event| panic!("{event:?}"));
    assert_eq!(consumed, Ok(more.len()));
}

#[test]
fn text_fails_at_its_first_wrong_byte() {
    assert_eq!(
        error_of(&SERVER, &client(Opcode::Text, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80")),
        ProtocolError::TextNotUtf8
    );
    // The end of the message cuts a character off.
    assert_eq!(error_of(&SERVER, &client(Opcode::Text, b"\xe2\x82")), ProtocolError::TextNotUtf8);
    assert_eq!(
        error_of(&SERVER, &fragmented(MessageKind::Text, false, [b"\xe2".as_slice(), b"\x82"])),
        ProtocolError::TextNotUtf8
    );
    // Autobahn 6.4: U+110000, in a first fragment, then in the first bytes of a frame that is still coming.
    let mut first = Vec::new();
    client_frame(&mut first, FrameHead { fin: false, ..FrameHead::whole(Opcode::Text) }, b"\xce\xba\xf4\x90");
    assert_eq!(error_of(&SERVER, &first), ProtocolError::TextNotUtf8);
    let frame = client(Opcode::Text, &[b"\xce\xba\xf4\x90".as_slice(), &[b'x'; 1000]].concat());
    let early = &frame[..frame.len() - 1000];
    assert_eq!(error_of(&SERVER, early), ProtocolError::TextNotUtf8);
}

#[test]
fn characters_may_be_cut_by_fragments() {
    let text_in = "κόσμε 𝄞 é";
    let pieces: Vec<&[u8]> = text_in.as_bytes().chunks(1).collect();
    let bytes = fragmented(MessageKind::Text, false, pieces);
    assert_eq!(decode(&SERVER, &bytes), (vec![text(text_in)], None));
}

#[test]
fn binary_is_not_looked_at() {
    let bytes = client(Opcode::Binary, b"\xff\xfe\xf4\x90");
    assert_eq!(decode(&SERVER, &bytes), (vec![Event::Binary(Bytes::from_static(b"\xff\xfe\xf4\x90"))], None));
}

#[test]
fn a_receiver_that_breaks_off_loses_nothing() {
    let mut bytes = client(Opcode::Text, b"one");
    bytes.extend(client(Opcode::Text, b"two"));
    bytes.extend(client(Opcode::Text, b"three"));
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    let mut rest = bytes.as_mut_slice();
    let mut calls = 0;
    while !rest.is_empty() {
        let on_event = |event| {
            events.push(event);
            ControlFlow::Break(())
        };
        let consumed = decoder.feed(rest, &SERVER, on_event).unwrap();
        rest = &mut rest[consumed..];
        calls += 1;
    }
    assert_eq!(events, [text("one"), text("two"), text("three")]);
    assert_eq!(calls, 3);
}

#[test]
fn memory_is_held_only_while_something_is_incomplete() {
    let mut decoder = Decoder::new();
    let ignore = |_| ControlFlow::Continue(());
    let frame = client(Opcode::Binary, b"payload");
    decoder.feed(&mut frame.clone(), &SERVER, ignore).unwrap();
    assert!(!decoder.is_mid_message());
    for cut in 1..frame.len() {
        let (mut start, mut end) = (frame[..cut].to_vec(), frame[cut..].to_vec());
        decoder.feed(&mut start, &SERVER, ignore).unwrap();
        assert!(decoder.is_mid_message());
        decoder.feed(&mut end, &SERVER, ignore).unwrap();
        assert!(!decoder.is_mid_message());
    }
    let unfinished = FrameHead { fin: false, ..FrameHead::whole(Opcode::Text) };
    let mut bytes = Vec::new();
    client_frame(&mut bytes, unfinished, b"x");
    decoder.feed(&mut bytes, &SERVER, ignore).unwrap();
    decoder.feed(&mut client(Opcode::Ping, b"p"), &SERVER, ignore).unwrap();
    assert!(decoder.is_mid_message());
    decoder.feed(&mut client(Opcode::Continuation, b"y"), &SERVER, ignore).unwrap();
    assert!(!decoder.is_mid_message());
}

#[test]
fn the_input_is_unmasked_where_it_is() {
    let mut frame = client(Opcode::Binary, b"Hello");
    assert_eq!(frame[2..6], KEY);
    Decoder::new().feed(&mut frame, &SERVER, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(&frame[6..], b"Hello");
}

#[test]
fn each_incomplete_message_is_told_once() {
    let mut decoder = Decoder::new();
    let mut feed = |bytes: &[u8]| {
        decoder.feed(&mut bytes.to_vec(), &SERVER, |_| ControlFlow::Continue(())).unwrap();
        decoder.has_begun()
    };
    let hello = client(Opcode::Text, b"Hello");
    let (start, rest) = hello.split_at(8);
    assert!(!feed(&hello), "whole in one piece");
    assert!(feed(start) && !feed(&rest[..1]) && !feed(&rest[1..]));
    assert!(feed(start));
    assert!(feed(&[rest, start].concat()), "the next one began with the end of the first");
    assert!(!feed(rest));
    let mut fragment = Vec::new();
    client_frame(&mut fragment, FrameHead { fin: false, ..FrameHead::whole(Opcode::Text) }, b"x");
    assert!(feed(&fragment));
    assert!(
        !feed(&client(Opcode::Ping, b"")) && !feed(&client(Opcode::Continuation, b"")),
        "it is the same one"
    );
}

#[test]
fn skipped_frames_end_at_the_close_frame() {
    let mut bytes = Vec::new();
    // The frames are neither in order, nor text, nor whole.
    client_frame(&mut bytes, FrameHead { fin: false, ..FrameHead::whole(Opcode::Text) }, b"\xff\xff");
    client_frame(&mut bytes, FrameHead::whole(Opcode::Binary), &[7; 70_000]);
    client_frame(&mut bytes, FrameHead::whole(Opcode::Continuation), b"");
    bytes.extend(client(Opcode::Ping, b"ping"));
    bytes.extend(client(Opcode::Close, b"\x03\xe8bye"));
    let length = bytes.len();
    bytes.extend(client(Opcode::Text, b"behind it"));
    for size in [1, 7, 1000, bytes.len()] {
        let mut decoder = Decoder::new();
        let (mut frames, mut closed_at, mut at) = (0, None, 0);
        for piece in bytes.clone().chunks_mut(size) {
            let skipped = decoder.skip(piece, &SERVER, usize::MAX).unwrap();
            (frames, at) = (frames + skipped.frames, at + skipped.bytes);
            closed_at = closed_at.or(skipped.is_closed.then_some(at));
        }
        assert_eq!(frames, 5, "{size}");
        assert!(closed_at.is_some_and(|at| at >= length && at - length < size.max(bytes.len() - length + 1)));
    }
}

#[test]
fn a_skip_is_bounded_and_drops_partial_messages() {
    let mut decoder = Decoder::new();
    let mut unfinished = client(Opcode::Text, &[b'x'; 1000]);
    let rest = unfinished.split_off(900);
    decoder.feed(&mut unfinished, &SERVER, |_| ControlFlow::Continue(())).unwrap();
    assert!(decoder.held() >= 880);
    decoder.skip(&mut [], &SERVER, 1).unwrap();
    assert!(decoder.is_mid_message() && decoder.held() < 300, "{}", decoder.held());
    let mut bytes = [rest.clone(), client(Opcode::Ping, b"").repeat(3)].concat();
    let skipped = decoder.skip(&mut bytes, &SERVER, 2).unwrap();
    assert_eq!((skipped.bytes, skipped.frames, skipped.is_closed), (rest.len() + 6, 2, false));
    assert_eq!(decoder.held(), 0);
    assert_eq!(decoder.skip(&mut [0x81, 0x01], &SERVER, 2), Err(ProtocolError::NotMasked));
    assert!(decoder.is_ended());
}
