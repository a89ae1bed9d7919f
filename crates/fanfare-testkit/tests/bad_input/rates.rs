//! Rates per connection: a client above a limit is closed with the limit's name, and other clients notice nothing.

use fanfare_testkit::metrics::{closed, hit};
use fanfare_websocket::{FrameHead, Opcode};

use crate::support::{Scene, closing, frames, is_closed};

const FRAMES: &str = "limits.frames_per_second = 200";

#[tokio::test]
async fn frames_of_every_kind_count() {
    let scene = Scene::with(FRAMES).await;
    let fragment = |opcode| FrameHead { fin: false, compressed: false, opcode };
    let start = frames(1, fragment(Opcode::Binary), b"");
    let floods = [
        frames(10_000, FrameHead::whole(Opcode::Pong), b""),
        [start, frames(10_000, fragment(Opcode::Continuation), b"")].concat(),
    ];
    for flood in &floods {
        let mut offender = scene.offender("other").await;
        offender.send(flood).await;
        is_closed(&mut offender, 1008, "more than 200 frames in a second").await;
    }
    let times = floods.len() as u64;
    scene
        .costs_the_offender_only(&[(&closed("rate_limited"), times), (&hit("frames_per_second"), times)])
        .await;
}

#[tokio::test]
async fn a_flood_is_cut_at_the_rate() {
    let scene = Scene::with(FRAMES).await;
    let mut reader = scene.connect("/ws/other").await;
    let mut offender = scene.offender("other").await;
    // About one read: the messages above the limit are dropped in the middle of it.
    offender.send(&frames(5000, FrameHead::whole(Opcode::Text), b"x")).await;
    assert_eq!(closing(&mut offender).await.0, 1008);
    scene.publish("other", "the end").await;
    let mut through = 0;
    while reader.next().await.to_text().is_ok_and(|text| text == "x") {
        through += 1;
    }
    // The bucket, and its refill during the reads.
    assert!((200..5000).contains(&through), "{through}");
    scene.costs_the_offender_only(&[(&closed("rate_limited"), 1), (&hit("frames_per_second"), 1)]).await;
}

#[tokio::test]
async fn bytes_count_as_they_are_read() {
    let scene = Scene::with("limits.bytes_per_second = \"1KiB\"\nlimits.message_bytes = \"2KiB\"").await;
    let message = frames(1, FrameHead::whole(Opcode::Binary), &[7; 2048]);
    let mut offender = scene.offender("other").await;
    offender.send(&message).await;
    assert_eq!(offender.next_frame().await.payload, [7; 2048]);
    offender.send(&message.repeat(100)).await;
    let (code, reason) = closing(&mut offender).await;
    assert_eq!(code, 1008);
    assert!(reason.contains("more than 1024 bytes in a second"), "{reason}");
    scene.costs_the_offender_only(&[(&closed("rate_limited"), 1), (&hit("bytes_per_second"), 1)]).await;
}
