//! Frames that a WebSocket client must not send, and frames that are too large.

use fanfare_testkit::metrics::{closed, hit};
use fanfare_websocket::{FrameHead, MessageKind, Opcode, deflate::Compressor, encode};

use crate::support::{Bystanders, Scene, closing, frames, is_closed};

const MASK: &str = "\0\0\0\0";

/// A frame of a client, with a mask that changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    [&[first, 0x80 | payload.len() as u8], MASK.as_bytes(), payload].concat()
}

#[tokio::test]
async fn a_broken_frame_is_answered_with_its_rule() {
    let scene = Scene::with("").await;
    let fragment = frame(0x01, b"one ");
    let then = |second: &[u8]| [&fragment[..], second].concat();
    let broken: Vec<(Vec<u8>, u16, &str)> = vec![
        (b"\x81\x01x".to_vec(), 1002, "must mask every frame"),
        (frame(0xC1, b"x"), 1002, "a reserved bit is set"),
        (frame(0xA1, b"x"), 1002, "a reserved bit is set"),
        (frame(0x91, b"x"), 1002, "a reserved bit is set"),
        (frame(0x83, b"x"), 1002, "opcode 0x3 is reserved"),
        (frame(0x8F, b"x"), 1002, "opcode 0xf is reserved"),
        (frame(0x09, b"x"), 1002, "must not be fragmented"),
        (b"\x89\xfe\x00\x7e\0\0\0\0".to_vec(), 1002, "at most 125 bytes"),
        (b"\x81\xfe\x00\x01\0\0\0\0x".to_vec(), 1002, "in the fewest bytes"),
        (b"\x81\xff\x80\0\0\0\0\0\0\x01\0\0\0\0x".to_vec(), 1002, "top bit"),
        (frame(0x80, b"x"), 1002, "no message was in progress"),
        (then(&frame(0x81, b"two")), 1002, "before the last was finished"),
        (frame(0x81, b"\xff"), 1007, "must be valid UTF-8"),
        (frame(0x81, b"\xed\xa0\x80"), 1007, "must be valid UTF-8"),
        (then(&frame(0x80, b"\xe2\x82")), 1007, "must be valid UTF-8"),
        (frame(0x88, b"\x03"), 1002, "empty or has at least two bytes"),
        (frame(0x88, b"\x03\xee"), 1002, "close code 1006 must not be sent"),
        (frame(0x88, b"\x03\xe8\xff"), 1007, "reason must be valid UTF-8"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 1002, "a reserved bit is set"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 1002, "a reserved bit is set"),
    ];
    for (bytes, code, words) in &broken {
        // In the bystanders' channel: no byte of it reaches them.
        let mut offender = scene.offender("other").await;
        offender.send(bytes).await;
        is_closed(&mut offender, *code, words).await;
    }
    scene.costs_the_offender_only(&[(&closed("protocol"), broken.len() as u64)]).await;
}

#[tokio::test]
async fn a_broken_frame_does_not_reach_the_channel() {
    let scene = Scene::with("").await;
    let mut offender = scene.offender(Bystanders::CHANNEL).await;
    // Unfinished, then broken: the first half is not a message.
    offender.send(&[frame(0x01, b"half a message"), frame(0x83, b"x")].concat()).await;
    // After the messages of the bystanders.
    assert_eq!(closing(&mut offender).await.0, 1002);
    scene.costs_the_offender_only(&[(&closed("protocol"), 1)]).await;
}

#[tokio::test]
async fn too_large_a_message_is_refused_early() {
    let scene = Scene::with("limits.message_bytes = \"1KiB\"").await;
    let start = |fin| FrameHead { fin, compressed: false, opcode: Opcode::Binary };
    let more = |fin| FrameHead { fin, compressed: false, opcode: Opcode::Continuation };
    let one = frames(1, start(true), &[0; 1025]);
    let fragments =
        [frames(1, start(false), &[0; 100]), frames(10, more(false), &[0; 100]), frames(1, more(true), &[0])];
    let huge = b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";
    // The first is its header only: the server does not wait for the rest.
    for bytes in [&one[..8], &one[..], &fragments.concat(), &huge[..]] {
        let mut offender = scene.offender("other").await;
        offender.send(bytes).await;
        is_closed(&mut offender, 1009, "larger than the limit of 1024 bytes").await;
    }
    scene.costs_the_offender_only(&[(&closed("message_too_big"), 4), (&hit("message_bytes"), 4)]).await;
}

#[tokio::test]
async fn a_decompression_bomb_is_refused_at_the_limit() {
    let scene = Scene::with("websocket.deflate = true").await;
    let offer = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    let head = FrameHead { fin: true, compressed: true, opcode: Opcode::Binary };
    let mut compressor = Compressor::new();
    let bomb = compressor.compress(&vec![0; 32 << 20]).expect("zeros compress").to_vec();
    assert!(bomb.len() < 64 << 10, "as it comes it is within the limit: {}", bomb.len());
    let in_fragments: Vec<u8> = {
        let mut bytes = Vec::new();
        let mut pieces = bomb.chunks(1000).peekable();
        let mut head = FrameHead { fin: false, ..head };
        while let Some(piece) = pieces.next() {
            head.fin = pieces.peek().is_none();
            encode::frame(&mut bytes, head, piece, Some([1, 2, 3, 4]));
            head = FrameHead { fin: false, compressed: false, opcode: Opcode::Continuation };
        }
        bytes
    };
    for bytes in [frames(1, head, &bomb), in_fragments] {
        let mut offender = scene.raw().await;
        offender.upgrade("/ws/other", &offer).await.is(101, "");
        offender.send(&bytes).await;
        is_closed(&mut offender, 1009, "larger than the limit of 65536 bytes").await;
    }
    let mut no_deflate = scene.raw().await;
    no_deflate.upgrade("/ws/other", &offer).await.is(101, "");
    no_deflate.send(&frames(1, head, b"\xff\xff\xff")).await;
    is_closed(&mut no_deflate, 1007, "could not be inflated").await;
    // Two bytes for each block, and nothing in it.
    let mut empty_blocks = scene.raw().await;
    empty_blocks.upgrade("/ws/other", &offer).await.is(101, "");
    empty_blocks.send(&frames(1, head, &b"\x03\0".repeat(30_000))).await;
    is_closed(&mut empty_blocks, 1007, "too many final blocks").await;
    scene.costs_the_offender_only(&[(&closed("message_too_big"), 2), (&closed("protocol"), 2)]).await;

    let mut client = scene.raw().await;
    client.upgrade("/ws/other", &offer).await.is(101, "");
    let words = "fine ".repeat(200);
    client.send(&frames(1, head, compressor.compress(words.as_bytes()).expect("it repeats"))).await;
    let mut expected = Vec::new();
    encode::compressed(&mut expected, MessageKind::Binary, words.as_bytes(), &mut compressor);
    assert_eq!(client.next_frame().await.bytes, expected);
}
