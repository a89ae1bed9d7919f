//! Clients that connect by a command, in channels with history that lost publications for good.

use std::{sync::Arc, time::Duration};

use fanfare_core::{BrokerEvents, Limits, Namespace, OnInterruption, RecoveryMode};
use fanfare_hub::{
    Joining, Pace, View,
    calls::call::{Call, Selection},
};
use tokio::time::sleep;

use crate::{
    connecting::{connected, recorded, setup},
    healing,
    news::told,
    support::{AT_ONCE, Client, Histories, Lines, Node, Recorder, Setup, channel, numbered, settle},
};

fn stays() -> Namespace {
    Namespace { on_interruption: OnInterruption::Stay, ..healing::namespace() }
}

fn node_with(namespace: Namespace, pace: Pace) -> (Node, Arc<Recorder>, Arc<Histories>) {
    let histories = Histories::new();
    let setup = Setup { namespace, histories: Some(histories.clone()), shards: 3, ..setup() };
    let (node, recorder, _) = recorded(setup);
    tokio::spawn(node.hub.interruptions.clone().tell_sessions(move || pace));
    (node, recorder, histories)
}

fn node() -> (Node, Arc<Recorder>, Arc<Histories>) {
    node_with(stays(), AT_ONCE)
}

async fn members(node: &Node, connect: &str, then: &[&str], count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let client = connected(node, connect).await;
        for line in then {
            client.say(line).await;
        }
        client.lines();
        clients.push(client);
    }
    clients
}

/// The node misses what the history does not keep either.
fn lose(node: &Node, histories: &Histories, name: &str) {
    histories.accept(name, 3);
    histories.trim(name, 1);
    node.dispatcher.missed(&channel(name));
}

async fn goodbye() {
    sleep(Limits::default().goodbye).await;
}

#[tokio::test(start_paused = true)]
async fn each_dialect_is_told_in_its_word() {
    for on_interruption in [OnInterruption::Stay, OnInterruption::Close] {
        let (node, _recorder, histories) = node_with(Namespace { on_interruption, ..stays() }, AT_ONCE);
        let own = members(&node, "connect", &["sub a", "sub b"], 7).await;
        let by_server = members(&node, "connect channels=a", &["sub b"], 7).await;
        let both = members(&node, "connect channels=a", &["sub c"], 3).await;
        let others = members(&node, "connect", &["sub b"], 3).await;
        let relay = node.client_without_connect();
        relay.join(&["a"]).await;
        for name in ["a", "c"] {
            lose(&node, &histories, name);
        }
        goodbye().await;
        for client in &own {
            assert_eq!(client.lines(), ["lost a"]);
            assert!(!client.session.has_ended());
        }
        for client in by_server.iter().chain(&both) {
            assert!(client.lines().ends_with(&["close 79 interrupted".to_owned()]));
        }
        assert!(others.iter().all(|client| client.lines().is_empty()));
        let closes = on_interruption == OnInterruption::Close;
        assert_eq!(relay.lines()[1..], ["close 79 interrupted"][..usize::from(closes)]);
        assert_eq!(node.count("fanfare_history_heals_total", &[("result", "failed")]), 2);
        assert_eq!(node.count("fanfare_history_subscriptions_interrupted_total", &[]), 7);
        assert_eq!(node.closed("interrupted"), 10 + u64::from(closes));
    }
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_told_where_it_is() {
    for on_interruption in [OnInterruption::Stay, OnInterruption::Close] {
        let (node, recorder, histories) = node_with(Namespace { on_interruption, ..stays() }, AT_ONCE);
        let clients = [(); 7].map(|()| node.client_of_dialect(Lines::telling_gaps()));
        for client in &clients {
            client.join(&["a"]).await;
            client.lines();
        }
        recorder.deliver_all(histories.accept("a", 2));
        lose(&node, &histories, "a");
        settle().await;
        recorder.deliver_all(histories.accept("a", 1));
        histories.lose("a");
        recorder.deliver_all(histories.accept("a", 2));
        goodbye().await;
        for client in &clients {
            assert_eq!(client.lines(), ["a 1", "a 2", "gap a 4", "a 5", "a 6", "gap a 0", "a 1", "a 2"]);
            assert!(!client.session.has_ended());
        }
        let held = node.client_of_dialect(Lines::telling_gaps());
        node.hub.subscriptions.subscribe_held(&held.session, &channel("a")).await.unwrap();
        histories.lose("a");
        recorder.deliver_all(histories.accept("a", 1));
        settle().await;
        node.hub.subscriptions.release(&held.session, &channel("a"), Vec::new());
        settle().await;
        assert_eq!(held.lines(), ["gap a 0", "a 1"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_api_subscribes_by_the_server() {
    let (node, _recorder, histories) = node();
    let client = connected(&node, "connect user=ann").await;
    let of = Selection { user: Some("ann".into()), ..Selection::default() };
    node.hub.calls.ask(Call::Subscribe { of, channel: "a".into(), terms: Box::default() }, &[], None).await;
    settle().await;
    lose(&node, &histories, "a");
    goodbye().await;
    assert_eq!(client.lines(), ["subscribed a at 0", "a 3", "close 79 interrupted"]);
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_not_recovered_once() {
    let (node, recorder, histories) = node();
    let clients = members(&node, "connect", &["sub a"], 3).await;
    lose(&node, &histories, "a");
    settle().await;
    for client in &clients {
        assert_eq!(client.lines(), ["lost a"]);
        // The place is behind the gap: the history has all since, but not all that the client missed.
        client.say("sub a since=*:3").await;
        client.say("unsub a").await;
        client.say("sub a since=*:3").await;
        settle().await;
        assert_eq!(client.lines(), ["ok 3 lost", "ok 4", "ok 5 whole"]);
    }
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert!(clients.iter().all(|client| client.lines() == numbered("a", [4])));
}

#[tokio::test(start_paused = true)]
async fn another_epoch_is_told_to_all() {
    let (node, recorder, histories) = node();
    let clients = members(&node, "connect", &["sub a"], 7).await;
    recorder.deliver_all(histories.accept("a", 2));
    let epoch = histories.position("a", 0).epoch;
    histories.lose("a");
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    for client in &clients {
        assert_eq!(client.lines(), ["a 1", "a 2", "lost a"]);
        client.say(&format!("sub a since={epoch}:1")).await;
        assert_eq!(client.lines(), ["ok 3 lost"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_gives_its_newest_again() {
    let (node, _recorder, histories) =
        node_with(Namespace { recovery: RecoveryMode::Cache, ..stays() }, AT_ONCE);
    let clients = members(&node, "connect", &["sub a"], 1).await;
    lose(&node, &histories, "a");
    settle().await;
    assert_eq!(clients[0].lines(), ["lost a"]);
    clients[0].say("sub a since=*:1").await;
    settle().await;
    assert_eq!(clients[0].lines(), ["ok 3 whole 3"]);
}

#[tokio::test(start_paused = true)]
async fn clients_are_told_at_a_pace() {
    let (node, recorder, histories) =
        node_with(stays(), Pace { per_second: 10, within: Duration::from_secs(60) });
    let clients = members(&node, "connect", &["sub a"], 100).await;
    lose(&node, &histories, "a");
    for _ in 0..5 {
        sleep(Duration::from_secs(1)).await;
    }
    let told = node.count("fanfare_history_subscriptions_interrupted_total", &[]);
    assert!((40..=60).contains(&told), "{told} of 100 after five seconds at ten a second");
    assert_eq!(node.hub.metrics().closing.get(), 100 - told as i64);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    let (told_before, others): (Vec<_>, Vec<_>) =
        clients.iter().map(Client::lines).partition(|lines| lines.contains(&"lost a".to_owned()));
    assert_eq!(told_before.len() as u64, told);
    assert!(
        others.iter().all(|lines| *lines == numbered("a", 3..5)),
        "the others go on until it is their turn"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_before_the_end() {
    let (node, _recorder, histories) = node();
    let client = connected(&node, "connect").await;
    node.hub.subscriptions.subscribe_held(&client.session, &channel("a")).await.unwrap();
    lose(&node, &histories, "a");
    sleep(Duration::from_secs(3)).await;
    assert!(client.lines().is_empty(), "its client has no answer yet");
    node.hub.subscriptions.release(&client.session, &channel("a"), Vec::new());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(client.lines(), ["a 3", "lost a"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_returns_did_not_leave() {
    let grace = Duration::from_secs(5);
    let namespace = Namespace { retention: stays().retention, presence_grace: grace, ..told() };
    let histories = Histories::new();
    let node = Setup { namespace, histories: Some(histories.clone()), shards: 3, ..setup() }.memory();
    tokio::spawn(node.hub.interruptions.clone().tell_sessions(|| AT_ONCE));
    let seer = node.client_without_connect();
    let joining = Joining { wants_news: true, ..Joining::from(View::Verbatim) };
    seer.hub.subscriptions.subscribe_as(&seer.session, &channel("a"), joining).await.unwrap();
    let both = members(&node, "connect", &["sub a"], 2).await;
    settle().await;
    assert_eq!(news(&seer).len(), 3);
    let [returns, goes] = &both[..] else { unreachable!() };
    for _ in 0..3 {
        lose(&node, &histories, "a");
        settle().await;
        assert!(returns.lines().contains(&"lost a".to_owned()));
        returns.say("sub a").await;
        sleep(grace * 3 / 4).await;
    }
    sleep(grace).await;
    let left = |client: &Client| [format!("left a {}", client.session.id().0)];
    assert_eq!(news(&seer), left(goes));
    returns.say("unsub a").await;
    settle().await;
    assert_eq!(news(&seer), left(returns));
}

/// The news of clients that this one got.
fn news(client: &Client) -> Vec<String> {
    let mut lines = client.lines();
    lines.retain(|line| line.starts_with("joined") || line.starts_with("left"));
    lines
}
