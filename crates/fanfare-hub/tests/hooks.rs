//! The operator's backend decides for the clients of a dialect with a connect command.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use fanfare_core::{
    Access, CloseFrame, Hook, HookRefusal, Namespace, Payload,
    hooks::{ConnectAnswer, HookError, PublishAnswer, RefreshAnswer},
    identity::SubscriptionTerms,
};
use fanfare_hub::Peer;

use crate::{
    connecting::{connected, setup},
    support::{Asked, Client, Framing, Node, Pipe, Recorder, Setup, Tokens, Told, channel, settle},
};

const AWAY: &str = "the backend that decides about it does not answer: try again";

/// A node that asks a backend, and has an open namespace about which it does not.
fn node(answers: &[Hook]) -> (Node, Arc<Recorder>, Arc<Asked>) {
    let namespace = Namespace {
        subscribe_hook: answers.contains(&Hook::Subscribe),
        publish_hook: answers.contains(&Hook::Publish),
        subscribe: Access::Server,
        publish: Access::Server,
        ..Namespace::default()
    };
    let open = Namespace { name: "open".into(), ..Namespace::default() };
    let (node, recorder) = Setup { namespace, named: vec![open], ..setup() }.recorded();
    node.hub.identities.verify_by(Some(Tokens::new()));
    let backend = Asked::about(answers);
    node.hub.hooking.ask_by(Some(backend.clone()));
    (node, recorder, backend)
}

/// Says a line, and answers the question behind it.
async fn says(client: &Client, line: &str, backend: &Asked, told: Told) {
    client.tell(&[line]);
    settle().await;
    backend.answer(told);
    settle().await;
}

fn last(client: &Client) -> String {
    client.lines().pop().unwrap()
}

fn refused(code: u32) -> Told {
    let error = HookError { code, message: "no".into(), is_temporary: false };
    Told::Refused(HookRefusal::Error(error))
}

fn sent_away() -> Told {
    Told::Refused(HookRefusal::Disconnect(CloseFrame::new(4000, "go")))
}

fn in_seconds(seconds: i64) -> Option<SystemTime> {
    let time = Duration::from_secs(seconds.unsigned_abs());
    let now = SystemTime::now();
    Some(if seconds < 0 { now - time } else { now + time })
}

fn ann() -> ConnectAnswer {
    ConnectAnswer { user: "ann".into(), ..ConnectAnswer::default() }
}

/// A client that the backend named `ann`, for this number of seconds.
async fn named(node: &Node, backend: &Asked, seconds: Option<i64>) -> Client {
    let client = node.client();
    let expires_at = seconds.and_then(in_seconds);
    says(&client, "connect", backend, Told::Connect(ConnectAnswer { expires_at, ..ann() })).await;
    assert_eq!(client.lines(), ["connected 1"], "it has nothing to do when the time is over");
    client
}

#[tokio::test(start_paused = true)]
async fn the_backend_names_a_client() {
    let (node, _, backend) = node(&[Hook::Connect, Hook::Rpc]);
    let client = node.client();
    client.tell(&["connect", "sub open:b", "call m"]);
    settle().await;
    assert_eq!((backend.questions(), client.lines()), (vec!["connect".into()], vec![]));
    let answer = ConnectAnswer {
        data: Some(Payload::text("welcome")),
        subscriptions: vec![(
            channel("a"),
            SubscriptionTerms { info: Some("1".into()), ..Default::default() },
        )],
        ..ann()
    };
    backend.answer(Told::Connect(answer));
    settle().await;
    assert_eq!(client.lines(), ["connected 1 welcome a", "ok 2"]);
    assert_eq!(backend.questions(), ["rpc ann m "]);
}

#[tokio::test(start_paused = true)]
async fn a_token_comes_before_the_backend() {
    let (node, _, backend) = node(&[Hook::Connect]);
    connected(&node, "connect user=bob").await;
    assert!(backend.questions().is_empty());
    node.hub.hooking.ask_by(None);
    connected(&node, "connect").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_name_does_not_connect() {
    let (node, _, backend) = node(&[Hook::Connect]);
    for (told, line) in [
        (refused(400), "error 1 no".to_owned()),
        (sent_away(), "close 4000 go".to_owned()),
        (Told::Refused(HookRefusal::Unavailable), format!("error 1 {AWAY}")),
    ] {
        let client = node.client();
        says(&client, "connect", &backend, told).await;
        assert_eq!(client.lines(), [line]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_backend_gets_headers_of_the_handshake() {
    let (node, _, backend) = node(&[Hook::Connect]);
    let headers = Some([("cookie".to_owned(), "a=1".to_owned())].into());
    let session = node.hub.sessions.open(&node.kind, Peer { headers, ..Peer::default() });
    let pipe = Pipe::open(Framing::Newline);
    node.hub.sessions.attach(&session, pipe.framing(), pipe.sink());
    let client = Client::new(node.hub.clone(), session, pipe);
    client.tell(&["connect"]);
    settle().await;
    assert_eq!(backend.questions(), ["connect cookie=a=1"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscribe_that_waits_blocks_no_other() {
    let (node, recorder, backend) = node(&[Hook::Subscribe]);
    let client = connected(&node, "connect user=ann").await;
    client.tell(&["sub a", "sub b", "sub open:c", "unsub a"]);
    settle().await;
    assert_eq!(backend.questions(), ["subscribe ann a", "subscribe ann b"]);
    assert_eq!(client.lines(), ["ok 4"]);
    connected(&node, "connect user=bob").await.say("sub open:c").await;
    backend.answer_at(1, Told::Subscribe(SubscriptionTerms::default()));
    settle().await;
    assert_eq!(client.lines(), ["ok 3"]);
    backend.answer(refused(403));
    settle().await;
    assert_eq!(client.lines(), ["error 2 no", "ok 5"]);
    assert_eq!(
        recorder.calls(),
        ["subscribe open:c", "subscribe open:c", "subscribe b"],
        "a was not permitted"
    );
}

#[tokio::test(start_paused = true)]
async fn a_permitted_subscribe_has_the_backends_words() {
    let (node, _, backend) = node(&[Hook::Subscribe]);
    let client = connected(&node, "connect user=ann").await;
    let answer = SubscriptionTerms {
        data: Some(Payload::text("hi")),
        expires_at: in_seconds(60),
        info: Some("1".into()),
        ..SubscriptionTerms::default()
    };
    says(&client, "sub a", &backend, Told::Subscribe(answer)).await;
    assert_eq!(last(&client), "ok 2 expires hi");
    client.say("sub $b").await;
    assert!(last(&client).starts_with("error 3"), "the name needs a token");
    says(&client, "sub c", &backend, sent_away()).await;
    assert_eq!(last(&client), "close 4000 go");
}

#[tokio::test(start_paused = true)]
async fn publishes_of_a_channel_keep_their_order() {
    let (node, recorder, backend) = node(&[Hook::Publish]);
    let client = connected(&node, "connect user=ann").await;
    client.tell(&["pub a 1", "pub a 2", "pub b 3", "pub open:c 4"]);
    settle().await;
    assert_eq!(backend.questions(), ["publish ann a 1", "publish ann b 3"]);
    assert_eq!(recorder.published(), ["open:c 4"], "no hook in this namespace");
    backend.answer_at(1, Told::Publish(PublishAnswer::default()));
    settle().await;
    let replaced = PublishAnswer { data: Some(Payload::text("one")), ..PublishAnswer::default() };
    backend.answer(Told::Publish(replaced));
    settle().await;
    assert_eq!(backend.questions(), ["publish ann a 2"]);
    backend.answer(Told::Publish(PublishAnswer::default()));
    settle().await;
    assert_eq!(recorder.published(), ["open:c 4", "b 3", "a one", "a 2"]);
    (0..4).for_each(|_| recorder.answer(0, Ok(())));
    settle().await;
    assert_eq!(client.lines(), ["ok 5", "ok 4", "ok 2", "ok 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_publish_reaches_nobody() {
    let (node, recorder, backend) = node(&[Hook::Publish]);
    let client = connected(&node, "connect user=ann").await;
    says(&client, "pub a 1", &backend, refused(400)).await;
    says(&client, "pub a 2", &backend, Told::Refused(HookRefusal::Unavailable)).await;
    assert_eq!(client.lines(), ["error 2 no".to_owned(), format!("error 3 {AWAY}")]);
    says(&client, "pub a 3", &backend, sent_away()).await;
    assert_eq!(last(&client), "close 4000 go");
    assert!(recorder.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_waits_counts_as_unanswered() {
    let limits = fanfare_core::Limits { unanswered_publishes: 2, ..fanfare_core::Limits::default() };
    let namespace = Namespace { publish_hook: true, ..Namespace::default() };
    let (node, recorder) = Setup { namespace, limits, ..setup() }.recorded();
    let backend = Asked::about(&[Hook::Publish]);
    node.hub.hooking.ask_by(Some(backend.clone()));
    let client = connected(&node, "connect").await;
    client.tell(&["pub a 1", "pub b 2"]);
    settle().await;
    assert!(!client.is_ready());
    (0..2).for_each(|_| backend.answer(Told::Publish(PublishAnswer::default())));
    settle().await;
    assert!(!client.is_ready(), "the broker did not answer yet");
    (0..2).for_each(|_| recorder.answer(0, Ok(())));
    settle().await;
    assert!(client.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_left_publishes_nothing() {
    let (node, recorder, backend) = node(&[Hook::Publish]);
    let client = connected(&node, "connect user=ann").await;
    client.tell(&["pub a 1"]);
    settle().await;
    client.session.abort();
    client.end(&fanfare_core::Disconnect::Lost);
    backend.answer(Told::Publish(PublishAnswer::default()));
    settle().await;
    assert!(recorder.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn calls_are_answered_by_the_backend() {
    let (node, _, backend) = node(&[Hook::Rpc]);
    let client = connected(&node, "connect user=ann").await;
    client.tell(&["call add 1", "call add 2", "sub open:a"]);
    settle().await;
    assert_eq!(backend.questions(), ["rpc ann add 1"]);
    assert_eq!(last(&client), "ok 4", "a call blocks no channel");
    backend.answer(Told::Rpc(Some(Payload::text("2"))));
    settle().await;
    assert_eq!(last(&client), "answer 2 2");
    backend.answer(refused(404));
    settle().await;
    assert_eq!(last(&client), "error 3 no");
    node.hub.hooking.ask_by(None);
    client.say("call add 3").await;
    assert!(last(&client).starts_with("error 5 this server answers no remote procedure calls"));
}

#[tokio::test(start_paused = true)]
async fn the_backend_refreshes_a_client() {
    let (node, _, backend) = node(&[Hook::Connect, Hook::Refresh]);
    let client = named(&node, &backend, Some(-1)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(backend.questions(), ["refresh ann"]);
    backend.answer(Told::Refresh(RefreshAnswer { expires_at: in_seconds(-1), ..RefreshAnswer::default() }));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(backend.questions(), ["refresh ann"], "it is asked again when the time is over again");
    backend.answer(Told::Refresh(RefreshAnswer { is_expired: true, ..RefreshAnswer::default() }));
    settle().await;
    assert_eq!(last(&client), "close 78 expired");
    let client = named(&node, &backend, Some(60)).await;
    client.say("refresh user=ann").await;
    assert!(last(&client).starts_with("close 71 the backend says how long"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_backend_costs_the_grace() {
    let (node, _, backend) = node(&[Hook::Connect, Hook::Refresh]);
    let within = named(&node, &backend, Some(-1)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for _ in 0..3 {
        backend.answer(Told::Refused(HookRefusal::Unavailable));
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    assert_eq!(backend.questions(), ["refresh ann"], "it is asked again");
    assert!(!within.session.has_ended());
    backend.answer(Told::Refused(HookRefusal::Unavailable));
    // The wall clock does not move in this test.
    let over = named(&node, &backend, Some(-26)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(last(&over), "close 78 expired");
}

#[tokio::test(start_paused = true)]
async fn the_backend_refreshes_a_subscription() {
    let (node, _, backend) = node(&[Hook::Subscribe, Hook::SubRefresh]);
    let client = connected(&node, "connect user=ann").await;
    let answer = SubscriptionTerms { expires_at: in_seconds(-1), ..SubscriptionTerms::default() };
    says(&client, "sub a", &backend, Told::Subscribe(answer)).await;
    assert_eq!(last(&client), "ok 2", "the client has nothing to do");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(backend.questions(), ["sub_refresh ann a"]);
    backend.answer(Told::Refresh(RefreshAnswer { expires_at: in_seconds(-1), ..RefreshAnswer::default() }));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(backend.questions(), ["sub_refresh ann a"]);
    backend.answer(Told::Refresh(RefreshAnswer { is_expired: true, ..RefreshAnswer::default() }));
    settle().await;
    assert_eq!(last(&client), "expired a");
    assert!(!client.session.has_ended());
}
