//! Subscribers with filters get the publications that pass, and others all.

use std::{sync::Arc, time::Duration};

use fanfare_core::{
    Attributes, Limits, Namespace, SlowClient, TraceContext, Tracer,
    trace::{Delivery, Finish, Handshake, Published, Publishing},
};
use parking_lot::Mutex;

use crate::{
    connecting::{connected, recorded, setup},
    healing::namespace,
    support::{Client, Framing, Histories, INCARNATION, Node, Pipe, Recorder, Setup, ends, settle, tagged},
};

async fn subscribed(node: &Node, line: &str) -> Client {
    let client = connected(node, "connect").await;
    client.say(line).await;
    settle().await;
    let lines = client.lines();
    assert!(lines.iter().any(|line| line.starts_with("ok 2")), "{lines:?}");
    client
}

/// Publications with the tags `x`, `y`, `x` and none.
fn deliver(recorder: &Recorder) {
    recorder.deliver_tagged("a", "1", &[("k", "x")]);
    recorder.deliver_tagged("a", "2", &[("k", "y"), ("j", "x")]);
    recorder.deliver_tagged("a", "3", &[("k", "x")]);
    recorder.deliver("a", "4");
}

#[tokio::test(start_paused = true)]
async fn filters_and_none_share_a_tick() {
    let (node, recorder, _) = recorded(setup());
    let lines =
        ["sub a only=k:x", "sub a only=k:y", "sub a", "sub a only=k:x", "sub a only=k:y,x", "sub a only=k:z"];
    let mut clients = Vec::new();
    for line in lines {
        clients.push(subscribed(&node, line).await);
    }
    let (encoded, deliveries) = (node.dialect.encoded(), node.hub.metrics().deliveries.get());
    let writes: Vec<_> = clients.iter().map(|client| client.pipe.writes()).collect();
    deliver(&recorder);
    settle().await;
    let wanted: [&[&str]; 6] = [
        &["a 1", "a 3"],
        &["a 2"],
        &["a 1", "a 2", "a 3", "a 4"],
        &["a 1", "a 3"],
        &["a 1", "a 2", "a 3"],
        &[],
    ];
    for ((client, wanted), before) in clients.iter().zip(wanted).zip(writes) {
        assert_eq!(client.lines(), wanted);
        assert_eq!(client.pipe.writes() - before, usize::from(!wanted.is_empty()), "one write for all");
    }
    assert_eq!(node.dialect.encoded() - encoded, 4, "once each, whoever gets it");
    let sent = wanted.iter().map(|lines| lines.len() as u64).sum::<u64>();
    assert_eq!(node.hub.metrics().deliveries.get() - deliveries, sent);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_s_filter_applies_from_then_on() {
    let (node, recorder, _) = recorded(setup());
    let early = subscribed(&node, "sub a only=k:x").await;
    recorder.deliver_tagged("a", "1", &[("k", "x")]);
    let late = connected(&node, "connect").await;
    late.say("sub a only=k:x").await;
    deliver(&recorder);
    settle().await;
    assert_eq!(early.lines(), ["a 1", "a 1", "a 3"]);
    assert_eq!(late.lines(), ["ok 2", "a 1", "a 3"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_subscribe_says_the_filter() {
    let (node, recorder, _) = recorded(setup());
    let client = subscribed(&node, "sub a only=k:x").await;
    for (line, wanted) in [
        ("sub a only=k:y", &["a 2"][..]),
        ("sub a", &["a 1", "a 2", "a 3", "a 4"]),
        ("sub a only=k:x", &["a 1", "a 3"]),
    ] {
        client.say("unsub a").await;
        client.say(line).await;
        settle().await;
        client.lines();
        deliver(&recorder);
        settle().await;
        assert_eq!(client.lines(), wanted, "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn members_that_leave_change_no_filter() {
    let (node, recorder, _) = recorded(setup());
    let values = ["x", "y", "z"];
    let mut clients = Vec::new();
    for number in 0..9 {
        let value = values[number % 3];
        clients.push((subscribed(&node, &format!("sub a only=k:{value}")).await, value));
    }
    let (gone, _) = clients.remove(2);
    gone.say("unsub a").await;
    // The last member takes the place of one that leaves.
    for (at, next) in [(0, "y"), (4, "y"), (7, "x"), (0, "z"), (3, "x")] {
        let (client, value) = &mut clients[at];
        *value = next;
        client.say("unsub a").await;
        client.say(&format!("sub a only=k:{next}")).await;
        settle().await;
        client.lines();
        values.iter().for_each(|value| recorder.deliver_tagged("a", value, &[("k", value)]));
        settle().await;
        for (client, value) in &clients {
            assert_eq!(client.lines(), [format!("a {value}")]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_excluded_member_keeps_its_filter() {
    let (node, recorder, _) = recorded(setup());
    let excluded = subscribed(&node, "sub a only=k:x").await;
    let other = subscribed(&node, "sub a only=k:x").await;
    let exclude = Some((INCARNATION, excluded.session.id()));
    let tags = vec![("k".to_owned(), "x".to_owned())];
    let attributes = Attributes { exclude, tags, ..Attributes::default() };
    recorder.deliver_all([tagged("a", "0", &[]).with_attributes(Some(Box::new(attributes)))]);
    deliver(&recorder);
    settle().await;
    assert_eq!(excluded.lines(), ["a 1", "a 3"]);
    assert_eq!(other.lines(), ["a 0", "a 1", "a 3"]);
}

#[tokio::test(start_paused = true)]
async fn the_past_passes_the_filter() {
    let histories = Histories::new();
    histories.tag("a");
    let (node, recorder, _) =
        recorded(Setup { namespace: namespace(), histories: Some(histories.clone()), ..setup() });
    histories.accept("a", 5);
    let before = node.hub.metrics().deliveries.get();
    let client = connected(&node, "connect").await;
    client.say("sub a since=*:1 only=n:1,2,4,6,8").await;
    settle().await;
    assert_eq!(client.lines(), ["ok 2 whole 2 4"]);
    recorder.deliver_all(histories.accept("a", 3));
    settle().await;
    assert_eq!(client.lines(), ["a 6", "a 8"]);
    assert_eq!(node.hub.metrics().deliveries.get() - before, 4);
    // Nothing passes, and nothing is missing.
    let other = connected(&node, "connect").await;
    other.say("sub a must since=*:3 only=n:99").await;
    settle().await;
    assert_eq!(other.lines(), ["ok 2 whole"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_passes_the_filter() {
    let histories = Histories::new();
    histories.tag("a");
    let (node, recorder, _) =
        recorded(Setup { namespace: namespace(), histories: Some(histories.clone()), ..setup() });
    histories.accept("a", 3);
    let all = subscribed(&node, "sub a").await;
    histories.hold(true);
    let client = connected(&node, "connect").await;
    client.tell(&["sub a since=*:1 only=n:2,5,7"]);
    settle().await;
    recorder.deliver_all(histories.accept("a", 3));
    settle().await;
    assert_eq!((client.lines().len(), all.lines().len()), (0, 3));
    histories.hold(false);
    settle().await;
    assert_eq!(client.lines(), ["ok 2 whole 2", "a 5"]);
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    assert_eq!(client.lines(), ["a 7"]);
}

#[tokio::test(start_paused = true)]
async fn news_pass_every_filter() {
    let namespace = Namespace { tracks_presence: true, join_leave: true, ..Namespace::default() };
    let node = Setup { namespace, ..setup() }.memory();
    let client = connected(&node, "connect").await;
    client.say("sub a joins only=k:x").await;
    settle().await;
    client.lines();
    let other = subscribed(&node, "sub a only=k:x").await;
    node.publish("a", "hello").await.unwrap();
    other.say("unsub a").await;
    settle().await;
    let id = other.session.id().0;
    assert_eq!(client.lines(), [format!("joined a {id}"), format!("left a {id}")]);
}

#[tokio::test(start_paused = true)]
async fn the_newest_that_passes_replaces_others() {
    let namespace = Namespace { slow_client: SlowClient::Conflate, ..Namespace::default() };
    let limits = Limits { outbound_bytes: 500, ..Limits::default() };
    let (node, recorder, _) = recorded(Setup { namespace, limits, ..setup() });
    let client = node.client_on(Pipe::bounded(Framing::Newline, 30));
    client.tell(&["connect", "sub a only=k:x"]);
    settle().await;
    client.lines();
    for number in 0..500 {
        let value = if number < 400 { "x" } else { "y" };
        recorder.deliver_tagged("a", &number.to_string(), &[("k", value)]);
        settle().await;
    }
    client.pipe.widen();
    settle().await;
    let lines = client.lines();
    assert!(lines.len() < 200, "most were replaced: {}", lines.len());
    assert_eq!(lines.last().unwrap(), "a 399");
}

/// Notes how many members each fan-out had.
#[derive(Default)]
struct FanOuts(Arc<Mutex<Vec<usize>>>);

impl Tracer for FanOuts {
    fn handshake(&self, _: &Handshake<'_>) -> Option<Finish<u16>> {
        None
    }

    fn publish(&self, _: &Publishing<'_>) -> Option<(TraceContext, Finish<Published>)> {
        None
    }

    fn fan_out(&self, _: &Delivery<'_>) -> Option<Finish<usize>> {
        let deliveries = self.0.clone();
        Some(Box::new(move |count| deliveries.lock().push(count)))
    }
}

#[tokio::test(start_paused = true)]
async fn traces_count_what_passes() {
    let fan_outs = Arc::new(FanOuts::default());
    let (node, recorder, _) = recorded(Setup { tracer: Some(fan_outs.clone()), ..setup() });
    let mut clients = Vec::new();
    for line in ["sub a only=k:x", "sub a only=k:y", "sub a"] {
        clients.push(subscribed(&node, line).await);
    }
    let context = TraceContext::new([1; 16], [1; 8], 1);
    let traced = ["x", "z", "x"].map(|value| tagged("a", "1", &[("k", value)]).traced(context));
    recorder.deliver("a", "untraced");
    recorder.deliver_all(traced);
    settle().await;
    assert_eq!(*fan_outs.0.lock(), [2, 1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn filters_come_and_go_amid_publishes() {
    let (node, recorder, _) = recorded(Setup { shards: 3, ..setup() });
    let publishing = tokio::task::spawn_blocking(move || {
        for number in 0..4000_u32 {
            let value = if number.is_multiple_of(2) { "even" } else { "odd" };
            recorder.deliver_tagged("a", &number.to_string(), &[("k", value)]);
        }
        recorder
    });
    let mut clients = Vec::new();
    for number in 0..60 {
        let only = if number % 2 == 0 { "even" } else { "odd" };
        let client = connected(&node, "connect").await;
        client.say(&format!("sub a only=k:{only}")).await;
        if number % 3 == 0 {
            client.say("unsub a").await;
            client.say(&format!("sub a only=k:{only}")).await;
        }
        clients.push((client, number % 2));
    }
    let recorder = publishing.await.unwrap();
    recorder.deliver_tagged("a", "9000", &[("k", "even")]);
    recorder.deliver_tagged("a", "9001", &[("k", "odd")]);
    for (client, parity) in &clients {
        let end = format!("a {}\n", 9000 + parity).into_bytes();
        ends(async {
            while !client.pipe.bytes().ends_with(&end) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        let lines = client.lines();
        let numbers: Vec<u32> =
            lines.iter().filter_map(|line| line.strip_prefix("a ")?.parse().ok()).collect();
        assert!(numbers.iter().all(|number| number % 2 == *parity) && numbers.is_sorted(), "{numbers:?}");
    }
}
