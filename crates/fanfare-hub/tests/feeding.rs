//! Sessions that requests feed.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_hub::{Peer, Session};
use tokio_util::sync::CancellationToken;

use crate::support::{Framing, INCARNATION, Lines, Node, Pipe, Setup, lines::LinesDecoder, settle};

struct Fed {
    session: Arc<Session>,
    name: Arc<str>,
    gone: CancellationToken,
    pipe: Pipe,
}

impl Fed {
    fn new(node: &Node, first: &'static str) -> Self {
        let feed = node.hub.calls.feeds().open();
        let name = feed.name().clone();
        let peer = Peer { fed_as: Some(name.clone()), ..Peer::default() };
        let session = node.hub.sessions.open(&node.kind, peer);
        assert!(node.hub.sessions.admit(&session));
        let pipe = Pipe::open(Framing::Newline);
        node.hub.sessions.attach(&session, pipe.framing(), pipe.sink());
        let inbound = node.hub.inbound(session.clone(), Box::<LinesDecoder>::default());
        let gone = CancellationToken::new();
        node.hub.sessions.spawn(feed.read(inbound, first.into(), gone.clone().cancelled_owned()));
        Self { session, name, gone, pipe }
    }
}

#[tokio::test(start_paused = true)]
async fn requests_feed_a_session_in_order() {
    let node = Setup { dialect: Lines::strict(), ..Setup::default() }.memory();
    let fed = Fed::new(&node, "sub a");
    for line in ["pub a 1", "pub a 2", "sub b"] {
        node.hub.calls.feed(INCARNATION, &fed.name, line.into());
    }
    node.hub.calls.feed(INCARNATION, "another", "nonsense".into());
    settle().await;
    let got: String = fed.pipe.lines().join("|");
    let at = |text: &str| got.find(text).unwrap();
    assert!(at("ok 1") < at("a 1") && at("a 1") < at("a 2"), "{got}");
    fed.gone.cancel();
    settle().await;
    assert!(fed.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn too_much_that_waits_ends_the_session() {
    let node = Setup { dialect: Lines::strict(), ..Setup::default() }.memory();
    let fed = Fed::new(&node, "sub a");
    settle().await;
    for _ in 0..20 {
        // Its task does not run meanwhile.
        node.hub.calls.feed(INCARNATION, &fed.name, Bytes::from(format!("pub a {}", "x".repeat(20_000))));
    }
    settle().await;
    assert!(fed.session.has_ended());
    assert_eq!(node.closed("message_gave_way"), 1);
}
