//! Floods of valid input, and clients that break off: each costs only the client itself.

use fanfare_testkit::{
    Setup, assert_eventually,
    metrics::{closed, hit},
    redis_server,
};
use fanfare_websocket::{FrameHead, Opcode};
use futures_util::FutureExt;

use crate::support::{Scene, closing, frames, goodbye};

/// A small queue: a client that does not read is soon slow.
const SMALL: &str = "limits.message_bytes = \"1KiB\"\nlimits.outbound_bytes = \"64KiB\"";

#[tokio::test]
async fn many_empty_fragments_are_one_message() {
    let scene = Scene::with("").await;
    let fragment = |opcode| FrameHead { fin: false, compressed: false, opcode };
    let mut sender = scene.offender("other").await;
    let start = frames(1, fragment(Opcode::Text), b"one ");
    let empty = frames(10_000, fragment(Opcode::Continuation), b"");
    let end = frames(1, FrameHead::whole(Opcode::Continuation), b"message");
    sender.send(&[start, empty, end].concat()).await;
    assert_eq!(sender.next_frame().await.payload, b"one message");
    scene.costs_the_offender_only(&[(&closed("protocol"), 0)]).await;
}

#[tokio::test]
async fn a_flood_of_pings_is_answered_in_order() {
    let scene = Scene::with("").await;
    let mut client = scene.offender("other").await;
    let pings: Vec<u8> =
        (0..10_000u32).flat_map(|n| frames(1, FrameHead::whole(Opcode::Ping), &n.to_be_bytes())).collect();
    client.send(&pings).await;
    for n in 0..10_000u32 {
        let pong = client.next_frame().await;
        assert_eq!((pong.bytes[0], &pong.payload[..]), (0x8A, &n.to_be_bytes()[..]));
    }
    scene.costs_the_offender_only(&[(&closed("slow"), 0)]).await;
}

#[tokio::test]
async fn unread_pongs_make_a_client_slow() {
    let scene = Scene::with(SMALL).await;
    let mut offender = scene.offender("other").await;
    let pings = frames(500, FrameHead::whole(Opcode::Ping), &[b'p'; 125]);
    while scene.metric(&closed("slow")).await < 1.0 {
        offender.send(&pings).await;
    }
    scene.costs_the_offender_only(&[(&closed("slow"), 1), (&hit("outbound_bytes"), 1)]).await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed() {
    let scene = Scene::with("limits.outbound_bytes = \"256KiB\"").await;
    let mut reader = scene.connect("/ws/other").await;
    let mut offender = scene.offender("other").await;
    let words = "never read ".repeat(4000);
    while scene.metric(&closed("slow")).await < 1.0 {
        scene.publish("other", words.as_str()).await;
        reader.expect(&words).await;
    }
    scene.publish("other", "the end").await;
    reader.expect("the end").await;
    scene.costs_the_offender_only(&[(&closed("slow"), 1), (&hit("outbound_bytes"), 1)]).await;
    // The client still finds what it had not read, and after that the reason of its close, if it came in time.
    let rest = offender.end().await;
    assert!(!rest.windows(7).any(|found| found == b"the end"), "nothing after the end");
}

#[tokio::test]
async fn a_fast_publisher_is_paused_and_loses_nothing() {
    let redis = redis_server().await;
    let scene = Scene::on(
        &Setup::redis(&redis.url()).toml("limits.unanswered_publishes = 1\nrelay.ping_interval = \"1h\""),
    )
    .await;
    let mut sender = scene.offender("other").await;
    let all: Vec<u8> = (0..2000u32)
        .flat_map(|n| {
            frames(1, FrameHead::whole(Opcode::Binary), &[&n.to_be_bytes()[..], &[0; 200]].concat())
        })
        .collect();
    sender.send(&all).await;
    for n in 0..2000u32 {
        assert_eq!(sender.next_frame().await.payload[..4], n.to_be_bytes());
    }
    assert!(scene.metric(&hit("unanswered_publishes")).await >= 1.0, "the publisher was paused");
    scene.costs_the_offender_only(&[]).await;
}

#[tokio::test]
async fn many_closes_get_one_answer() {
    let scene = Scene::with("").await;
    let mut offender = scene.offender("other").await;
    offender.send(&frames(10_000, FrameHead::whole(Opcode::Close), b"\x03\xe8")).await;
    assert_eq!(closing(&mut offender).await, (1000, String::new()));
    scene.costs_the_offender_only(&[(&closed("client"), 1)]).await;
}

#[tokio::test]
async fn vanishing_clients_leave_nothing_behind() {
    let scene = Scene::with("").await;
    for _ in 0..10 {
        let offenders = (0..60).map(|n| {
            let endpoint = **scene;
            tokio::spawn(async move {
                let mut client = endpoint.raw().await;
                client.upgrade("/ws/other", &[]).await.is(101, "");
                match n % 3 {
                    // Gone without a close; in the middle of a frame; with a close, and without waiting.
                    0 => {}
                    1 => client.send(b"\x81\x85\0\0").await,
                    _ => client.send(&frames(1, FrameHead::whole(Opcode::Close), b"")).await,
                }
            })
        });
        for offender in offenders.collect::<Vec<_>>() {
            offender.await.expect("an offender");
        }
    }
    scene.costs_the_offender_only(&[(&closed("client"), 200), (&closed("lost"), 400)]).await;
    assert_eventually!(scene.metric("fanfare_connections").await == 2.0, "only the bystanders are left");
}

#[tokio::test]
async fn a_half_closed_client_is_gone() {
    let scene = Scene::with("").await;
    for bytes in [&b""[..], b"\x81", b"\x81\x85\0\0\0\0he", b"\x01\x82\0\0\0\0he"] {
        let mut offender = scene.offender("other").await;
        offender.send(bytes).await;
        offender.finish().await;
        assert!(offender.end().await.is_empty(), "a client that left without a close gets none");
    }
    scene.costs_the_offender_only(&[(&closed("lost"), 4)]).await;
}

#[tokio::test]
async fn a_message_may_come_byte_by_byte() {
    let scene = Scene::with("").await;
    let mut reader = scene.connect("/ws/other").await;
    let mut slow = scene.offender("other").await;
    for byte in frames(1, FrameHead::whole(Opcode::Text), b"in no hurry") {
        slow.send(&[byte]).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    reader.expect("in no hurry").await;
    scene.costs_the_offender_only(&[]).await;
}

#[tokio::test]
async fn an_unfinished_message_ends_its_client() {
    let scene = Scene::with("limits.message_time = \"1s\"\nrelay.ping_interval = \"1s\"").await;
    let fragment = FrameHead { fin: false, compressed: false, opcode: Opcode::Text };
    let nearly = frames(1, FrameHead::whole(Opcode::Text), &[b'x'; 60_000]);
    // Pings between the fragments; a byte now and then; nothing, but the client reads.
    let openings =
        [frames(1, fragment, &[b'x'; 60_000]), nearly[..50_000].to_vec(), nearly[..50_000].to_vec()];
    let signs = [frames(1, FrameHead::whole(Opcode::Ping), b""), nearly[50_000..50_001].to_vec(), Vec::new()];
    for (opening, sign) in openings.into_iter().zip(signs) {
        let mut offender = scene.offender("other").await;
        offender.send(&opening).await;
        let (code, reason) = loop {
            offender.send(&sign).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            match offender.next_frame().now_or_never() {
                Some(frame) if frame.bytes[0] == 0x88 => break goodbye(&frame),
                _ => {}
            }
        };
        assert!(code == 1008 && reason.contains("limits.message_time"), "{code} {reason}");
    }
    scene.costs_the_offender_only(&[(&closed("message_too_slow"), 3), (&hit("message_time"), 3)]).await;
}

#[tokio::test]
async fn unfinished_messages_are_bounded_per_node() {
    let limits = "limits.message_bytes = \"64KiB\"\nlimits.incomplete_total_bytes = \"1MiB\"";
    let scene = Scene::with(limits).await;
    let unfinished = &frames(1, FrameHead::whole(Opcode::Binary), &[b'x'; 65_000])[..60_000];
    let mut offenders = Vec::new();
    while scene.metric(&closed("message_gave_way")).await < 1.0 {
        let mut offender = scene.offender("other").await;
        offender.send(unfinished).await;
        offenders.push(offender);
    }
    assert!(offenders.len() >= 15, "{} held less than the bound", offenders.len());
    let closed_one = async {
        let closings = offenders.iter_mut().map(|offender| Box::pin(closing(offender)));
        futures_util::future::select_all(closings).await.0
    };
    let (code, reason) = closed_one.await;
    assert!(code == 1013 && reason.contains("no memory"), "{code} {reason}");
    assert!(scene.metric(&hit("incomplete_total_bytes")).await >= 1.0);
    drop(offenders);
    assert_eventually!(scene.metric("fanfare_incomplete_bytes").await == 0.0, "their memory is given back");
    scene.costs_the_offender_only(&[]).await;
}

#[tokio::test]
async fn messages_in_pieces_are_whole_in_time() {
    let scene = Scene::with("limits.message_time = \"1s\"").await;
    let mut reader = scene.connect("/ws/other").await;
    let mut sender = scene.offender("other").await;
    let message = frames(1, FrameHead::whole(Opcode::Text), b"in pieces");
    let (start, rest) = message.split_at(7);
    sender.send(start).await;
    for _ in 0..30 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        // A message is incomplete all the time.
        sender.send(&[rest, start].concat()).await;
        reader.expect("in pieces").await;
    }
    scene.costs_the_offender_only(&[(&closed("message_too_slow"), 0)]).await;
}
