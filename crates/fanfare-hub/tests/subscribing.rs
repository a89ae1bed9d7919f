//! Subscriptions of sessions, and of the node at the broker.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Access, Action, CommandError, Disconnect, Limits, Namespace, SubscribeError};
use tokio::task::JoinSet;

use crate::support::{Setup, channel, ends, settle};

#[tokio::test(start_paused = true)]
async fn a_subscribe_is_answered_after_the_confirmation() {
    let (node, recorder) = Setup::default().recorded();
    recorder.hold_confirmations();
    let client = node.client();
    tokio::join!(client.say("sub a"), async {
        settle().await;
        assert!(client.lines().is_empty());
        recorder.deliver("a", "too early");
        settle().await;
        recorder.confirm(Ok(()));
    });
    recorder.deliver("a", "hello");
    settle().await;
    assert_eq!(client.lines(), ["ok 1", "a hello"]);
    assert_eq!(recorder.calls(), ["subscribe a"]);
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_subscription_is_released() {
    let (node, recorder) = Setup::default().recorded();
    recorder.hold_confirmations();
    let client = node.client();
    let result = node.hub.subscriptions.subscribe(&client.session, &channel("a")).await;
    assert_eq!(result, Err(SubscribeError::Unavailable.into()));
    assert_eq!(recorder.calls(), ["subscribe a", "unsubscribe a"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_subscription_is_told_and_released() {
    let (node, recorder) = Setup::default().recorded();
    recorder.hold_confirmations();
    let client = node.client();
    let refuse = async { recorder.confirm(Err(SubscribeError::Busy)) };
    tokio::join!(client.say("sub a"), refuse);
    assert_eq!(client.lines(), ["error 1 too many subscriptions wait for the message broker"]);
    assert_eq!(recorder.calls(), ["subscribe a", "unsubscribe a"]);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_subscription_is_released() {
    let (node, recorder) = Setup::default().recorded();
    recorder.hold_confirmations();
    let client = node.client();
    let patience = Duration::from_millis(10);
    let given_up =
        tokio::time::timeout(patience, node.hub.subscriptions.subscribe(&client.session, &channel("a")))
            .await;
    assert!(given_up.is_err());
    assert_eq!(recorder.calls(), ["subscribe a", "unsubscribe a"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ended_joins_nothing() {
    let (node, recorder) = Setup::default().recorded();
    recorder.hold_confirmations();
    let client = node.client();
    tokio::join!(client.say("sub a"), async {
        client.end(&Disconnect::Restart);
        recorder.confirm(Ok(()));
    });
    assert_eq!(recorder.calls(), ["subscribe a", "unsubscribe a"]);
    recorder.deliver("a", "hello");
    settle().await;
    assert_eq!(client.lines(), ["close 76 restart"]);
    assert_eq!(node.hub.metrics().unheard.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_session_unsubscribes() {
    let (node, recorder) = Setup { shards: 2, ..Setup::default() }.recorded();
    let (first, second) = (node.client_in(&["a"]).await, node.client_in(&["a", "b"]).await);
    first.leave("a");
    assert_eq!(recorder.calls(), ["subscribe a", "subscribe a", "subscribe b"]);
    second.leave("a");
    second.leave("a");
    assert_eq!(recorder.calls(), ["unsubscribe a"]);
    first.join(&["a"]).await;
    second.end(&Disconnect::Lost);
    first.end(&Disconnect::Lost);
    assert_eq!(recorder.calls(), ["subscribe a", "unsubscribe b", "unsubscribe a"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_session_keeps_the_channel() {
    let (node, recorder) = Setup::default().recorded();
    let member = node.client_in(&["a"]).await;
    recorder.hold_confirmations();
    let waiting = node.client();
    tokio::join!(waiting.say("sub a"), async {
        member.leave("a");
        recorder.confirm(Ok(()));
    });
    assert_eq!(recorder.calls(), ["subscribe a", "subscribe a"]);
    recorder.deliver("a", "hello");
    settle().await;
    assert_eq!(waiting.lines(), ["ok 1", "a hello"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_joins_within_its_bounds() {
    let limits = Limits { channels_per_connection: 2, ..Limits::default() };
    let (node, recorder) = Setup { limits, ..Setup::default() }.recorded();
    let client = node.client();
    for line in ["sub a", "sub a", "sub b", "sub c", "unsub a", "sub c"] {
        client.say(line).await;
    }
    assert_eq!(
        client.lines(),
        [
            "ok 1",
            "error 2 already subscribed to this channel",
            "ok 3",
            "error 4 a connection may hold at most 2 channels",
            "ok 5",
            "ok 6"
        ]
    );
    assert_eq!(recorder.calls(), ["subscribe a", "subscribe b", "unsubscribe a", "subscribe c"]);
    let hit = node.hub.metrics().limits_hit.count(fanfare_core::Limit::ChannelsPerConnection);
    assert_eq!(hit, 1);
}

#[tokio::test(start_paused = true)]
async fn concurrent_commands_keep_the_bounds() {
    let limits = Limits { channels_per_connection: 2, ..Limits::default() };
    let (node, recorder) = Setup { limits, ..Setup::default() }.recorded();
    recorder.hold_confirmations();
    let client = node.client();
    // The second of a channel waits behind the first.
    let confirm = async { (0..3).for_each(|_| recorder.confirm(Ok(()))) };
    let say = |line| client.say(line);
    tokio::join!(biased; say("sub a"), say("sub a"), say("sub b"), say("sub c"), confirm);
    let mut lines = client.lines();
    lines.sort();
    assert_eq!(
        lines,
        [
            "error 2 already subscribed to this channel",
            "error 4 a connection may hold at most 2 channels",
            "ok 1",
            "ok 3",
        ]
    );
    assert_eq!(recorder.calls().last().unwrap(), "unsubscribe c");
    client.leave("a");
    client.leave("b");
    assert_eq!(recorder.calls(), ["unsubscribe a", "unsubscribe b"]);
    recorder.deliver("a", "hello");
    assert_eq!(node.hub.metrics().unheard.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_namespace_permits_no_client() {
    let namespace = Namespace { subscribe: Access::Server, publish: Access::Server, ..Namespace::default() };
    let (node, recorder) = Setup { namespace, ..Setup::default() }.recorded();
    let client = node.client();
    let subscribed = node.hub.subscriptions.subscribe(&client.session, &channel("a")).await;
    assert_eq!(subscribed, Err(CommandError::NotPermitted(Action::Subscribe)));
    client.say("pub a hello").await;
    assert_eq!(client.lines(), ["error 1 this channel's namespace does not permit a client to publish"]);
    assert!(recorder.calls().is_empty());
}

/// Whether each unsubscribe of a channel follows a subscribe, and the last call is an unsubscribe.
fn leaves_nothing_behind(calls: &[String], name: &str) -> bool {
    let mut is_asked = false;
    calls.iter().filter(|call| call.ends_with(name)).all(|call| {
        let asks = call.starts_with("subscribe");
        let was_asked = std::mem::replace(&mut is_asked, asks);
        asks || was_asked
    }) && !is_asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_commands_leave_one_state() {
    let (node, recorder) = Setup::default().recorded();
    let client = Arc::new(node.client());
    let (joins, leaves) = (client.clone(), client.clone());
    let joining = tokio::spawn(async move {
        for _ in 0..10_000 {
            let joined = joins.hub.subscriptions.subscribe(&joins.session, &channel("a")).await;
            assert!(matches!(joined, Ok(_) | Err(CommandError::AlreadySubscribed)));
        }
    });
    let leaving = tokio::spawn(async move { (0..10_000).for_each(|_| leaves.leave("a")) });
    joining.await.unwrap();
    leaving.await.unwrap();
    // The session is in the channel, or joins now.
    drop(client.hub.subscriptions.subscribe(&client.session, &channel("a")).await);
    recorder.deliver("a", "hello");
    node.hub.goodbyes.end_after_answers(&client.session, Disconnect::Restart).await;
    ends(client.pipe.ended()).await;
    assert_eq!(client.lines(), ["a hello", "close 76 restart"]);
    assert!(leaves_nothing_behind(&recorder.calls(), "a"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sessions_leave_nothing_behind() {
    const CHANNELS: [&str; 3] = ["a", "b", "c"];
    let (node, recorder) = Setup { shards: 4, ..Setup::default() }.recorded();
    let mut sessions = JoinSet::new();
    for number in 0..1000_usize {
        let client = node.client();
        sessions.spawn(async move {
            for round in 0..3 {
                let name = CHANNELS[(number + round) % CHANNELS.len()];
                client.join(&[name]).await;
                tokio::task::yield_now().await;
                if number % 2 == 0 {
                    client.leave(name);
                }
            }
            client.end(&Disconnect::Lost);
        });
    }
    while let Some(ended) = sessions.join_next().await {
        ended.unwrap();
    }
    let calls = recorder.calls();
    for name in CHANNELS {
        assert!(leaves_nothing_behind(&calls, name));
        recorder.deliver(name, "hello");
    }
    assert_eq!(node.hub.metrics().unheard.get(), 3);
    assert_eq!(node.hub.metrics().connections.count(), 0);
    assert!(node.dispatcher.shards().iter().all(|shard| shard.sessions().is_empty()));
}
