//! A publisher that is subscribed gets its own publication, or not: as its namespace says.

use fanfare_core::{BrokerEvents, Incarnation, Namespace, Origin, Payload, Publication, Publish};

use crate::support::{INCARNATION, Setup, channel, settle};

fn quiet() -> Setup {
    Setup { namespace: Namespace { echo: false, ..Namespace::default() }, ..Setup::default() }
}

#[tokio::test(start_paused = true)]
async fn with_echo_a_publisher_gets_its_own() {
    let node = Setup::default().memory();
    let (alice, bob) = (node.client_in(&["a"]).await, node.client_in(&["a"]).await);
    alice.say("pub a hello").await;
    settle().await;
    assert_eq!(alice.lines(), ["ok 1", "a hello"]);
    assert_eq!(bob.lines(), ["a hello"]);
}

#[tokio::test(start_paused = true)]
async fn without_echo_only_others_get_it() {
    let node = quiet().memory();
    let (alice, bob) = (node.client_in(&["a"]).await, node.client_in(&["a"]).await);
    alice.say("pub a hello").await;
    settle().await;
    assert_eq!(alice.lines(), ["ok 1"]);
    assert_eq!(bob.lines(), ["a hello"]);
}

#[tokio::test(start_paused = true)]
async fn in_a_batch_each_misses_its_own() {
    let (node, recorder) = quiet().recorded();
    let (alice, bob) = (node.client_in(&["a"]).await, node.client_in(&["a"]).await);
    recorder.deliver_from(alice.session.id(), "a", "alice's");
    recorder.deliver("a", "the server's");
    let late = node.client_in(&["a"]).await;
    recorder.deliver_from(bob.session.id(), "a", "bob's");
    recorder.deliver_from(late.session.id(), "a", "late's");
    let carol = node.client_in(&["b"]).await;
    settle().await;
    assert_eq!(alice.lines(), ["a the server's", "a bob's", "a late's"]);
    assert_eq!(bob.lines(), ["a alice's", "a the server's", "a late's"]);
    assert_eq!(late.lines(), ["a bob's"]);
    assert!(carol.lines().is_empty());
    let writes = [&alice, &bob, &late].map(|client| client.pipe.writes());
    assert_eq!(writes, [1, 1, 1]);
    assert_eq!(node.hub.metrics().deliveries.get(), 7);
    assert_eq!(node.dialect.encoded(), 4, "the parts are cut from one encoding each");
}

#[tokio::test(start_paused = true)]
async fn session_numbers_of_nodes_are_not_mixed_up() {
    let (node, _recorder) = quiet().recorded();
    let client = node.client_in(&["a"]).await;
    let origin = Origin { node: Incarnation(8), session: Some(client.session.id()), sequence: 1 };
    node.dispatcher.publication(Publication::new(channel("a"), Payload::text("hello"), Some(origin)));
    settle().await;
    assert_eq!(client.lines(), ["a hello"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_excluded_gets_nothing() {
    let node = Setup::default().memory();
    let (alice, bob) = (node.client_in(&["a"]).await, node.client_in(&["a"]).await);
    for (on, text) in [(INCARNATION, "not for alice"), (Incarnation(8), "for both")] {
        let publish = Publish::new(channel("a"), Payload::text(text)).excluding(on, alice.session.id());
        node.hub.broker().publish(publish, Box::new(|result| assert!(result.is_ok())));
    }
    settle().await;
    assert_eq!(alice.lines(), ["a for both"]);
    assert_eq!(bob.lines(), ["a not for alice", "a for both"]);
}

#[tokio::test(start_paused = true)]
async fn sender_and_excluded_session_are_both_left_out() {
    let node = quiet().memory();
    let [alice, bob, carol] =
        [node.client_in(&["a"]).await, node.client_in(&["a"]).await, node.client_in(&["a"]).await];
    let publish = Publish::new(channel("a"), Payload::text("hello")).by(alice.session.id(), None);
    let publish = publish.excluding(INCARNATION, bob.session.id());
    node.hub.broker().publish(publish, Box::new(|result| assert!(result.is_ok())));
    settle().await;
    assert!(alice.lines().is_empty() && bob.lines().is_empty());
    assert_eq!(carol.lines(), ["a hello"]);
}
