//! Subscriptions that the server makes, on terms of a token, of a hook and of a call.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_core::{
    Access, Allowance, Capability, Hook, Namespace, Payload, hooks::ConnectAnswer, hooks::RefreshAnswer,
    identity::SubscriptionTerms,
};
use fanfare_hub::calls::call::{Answer, Call, Data, Refresh, Selection, Since, Terms};
use tokio::time::sleep;

use crate::{
    connecting::{connected, recorded, setup},
    healing,
    news::told,
    support::{Asked, Client, Histories, Node, Setup, Tokens, Told, channel, settle},
};

/// The wheel looks at what expired within a second or two.
const A_LOOK: Duration = Duration::from_secs(3);

fn seconds_ago(seconds: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(seconds)
}

fn ann() -> Selection {
    Selection { user: Some("ann".into()), ..Selection::default() }
}

async fn ask(node: &Node, call: Call) {
    let gathered = node.hub.calls.ask(call, &[], None).await;
    assert!(matches!(gathered.answers[..], [(_, Answer::Done { clients: 1 })]), "{gathered:?}");
    settle().await;
}

/// Subscribes ann to the channel `a`.
async fn subscribe(node: &Node, terms: Terms) {
    ask(node, Call::Subscribe { of: ann(), channel: "a".into(), terms: Box::new(terms) }).await;
}

/// A node whose backend names a client by this answer, and its client.
async fn named(namespace: Namespace, hooks: &[Hook], answer: ConnectAnswer) -> (Node, Arc<Asked>, Client) {
    let node = Setup { namespace, ..setup() }.memory();
    let backend = Asked::about(hooks);
    node.hub.hooking.ask_by(Some(backend.clone()));
    let client = node.client();
    client.tell(&["connect"]);
    settle().await;
    backend.answer(Told::Connect(ConnectAnswer { user: "ann".into(), ..answer }));
    settle().await;
    (node, backend, client)
}

/// The information about each client in the channel `a`: that of the client, and that of its subscription.
async fn known(node: &Node) -> Vec<[Option<Bytes>; 2]> {
    settle().await;
    let entries = node.hub.presence.members(&channel("a")).await.unwrap();
    entries.into_iter().map(|entry| [entry.client_info, entry.channel_info]).collect()
}

fn knows(client: Option<&'static str>, channel: Option<&'static str>) -> Vec<[Option<Bytes>; 2]> {
    vec![[client, channel].map(|info| info.map(Bytes::from))]
}

#[tokio::test(start_paused = true)]
async fn a_call_subscribes_on_its_terms() {
    let node = Setup { namespace: told(), ..setup() }.memory();
    node.hub.identities.verify_by(Some(Tokens::new()));
    let client = connected(&node, "connect user=ann").await;
    let data = Some(Data::from(&Payload::binary("hello")));
    subscribe(&node, Terms { info: Some("1".into()), data, joins: true, ..Terms::default() }).await;
    let id = client.session.id().0;
    assert_eq!(client.lines(), ["subscribed a hello".to_owned(), format!("joined a {id}")]);
    assert_eq!(known(&node).await, knows(None, Some("1")));
}

#[tokio::test(start_paused = true)]
async fn a_call_gives_the_past_first() {
    let histories = Histories::new();
    let setup = Setup { namespace: healing::namespace(), histories: Some(histories.clone()), ..setup() };
    let (node, recorder, _) = recorded(setup);
    histories.accept("a", 3);
    let epoch = histories.position("a", 0).epoch.to_string();
    for (epoch, first) in [(epoch.as_str(), "subscribed a at 1"), ("", "subscribed a at 1"), ("other", "")] {
        let client = connected(&node, "connect user=ann").await;
        let since = Some(Since { offset: 1, epoch: epoch.into() });
        subscribe(&node, Terms { since, ..Terms::default() }).await;
        let top = histories.top("a");
        recorder.deliver_all(histories.accept("a", 1));
        settle().await;
        let live = top + 1;
        let lost = vec![format!("subscribed a at {top}"), format!("a {live}")];
        let mut whole = vec![first.to_owned()];
        whole.extend((2..=live).map(|number| format!("a {number}")));
        assert_eq!(client.lines(), if first.is_empty() { lost } else { whole }, "{epoch}");
        client.session.abort();
        client.end(&fanfare_core::Disconnect::Lost);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_s_subscription_ends_the_connection() {
    let (node, _, _) = recorded(setup());
    let expires_at = |seconds| {
        let time = seconds_ago(seconds).duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Terms { expires_at: Some(time.as_secs()), ..Terms::default() }
    };
    let within = connected(&node, "connect user=ann").await;
    subscribe(&node, expires_at(10)).await;
    sleep(A_LOOK).await;
    assert_eq!(within.lines(), ["subscribed a"]);
    within.say("unsub a").await;
    subscribe(&node, expires_at(27)).await;
    sleep(A_LOOK).await;
    assert_eq!(within.lines(), ["ok 2", "subscribed a", "close 88 subscription expired"]);
    assert_eq!(node.closed("subscription_expired"), 1);
}

fn expired() -> ConnectAnswer {
    let terms = SubscriptionTerms { expires_at: Some(seconds_ago(27)), ..SubscriptionTerms::default() };
    ConnectAnswer { subscriptions: vec![(channel("a"), terms)], ..ConnectAnswer::default() }
}

#[tokio::test(start_paused = true)]
async fn a_hook_s_subscription_ends_the_connection() {
    let (_node, _, client) = named(Namespace::default(), &[Hook::Connect], expired()).await;
    sleep(A_LOOK).await;
    assert_eq!(client.lines(), ["connected 1 a", "close 88 subscription expired"]);
}

#[tokio::test(start_paused = true)]
async fn the_backend_renews_what_it_subscribed() {
    let terms = SubscriptionTerms {
        expires_at: Some(seconds_ago(1)),
        info: Some("1".into()),
        data: Some(Payload::text("hi")),
        ..SubscriptionTerms::default()
    };
    let subscriptions = vec![(channel("a"), terms)];
    let answer = ConnectAnswer { subscriptions, ..ConnectAnswer::default() };
    let namespace = Namespace { join_leave: false, ..told() };
    let (node, backend, client) = named(namespace, &[Hook::Connect, Hook::SubRefresh], answer).await;
    assert_eq!(client.lines(), ["connected 1 a hi"]);
    sleep(A_LOOK).await;
    assert_eq!(backend.questions(), ["sub_refresh ann a"]);
    assert_eq!(known(&node).await, knows(None, Some("1")));
    let answer = RefreshAnswer {
        expires_at: Some(seconds_ago(1)),
        info: Some("2".into()),
        ..RefreshAnswer::default()
    };
    backend.answer(Told::Refresh(answer));
    settle().await;
    assert_eq!(known(&node).await, knows(None, Some("2")));
    sleep(A_LOOK).await;
    backend.answer(Told::Refresh(RefreshAnswer { is_expired: true, ..RefreshAnswer::default() }));
    settle().await;
    assert_eq!(client.lines(), ["close 88 subscription expired"]);
}

#[tokio::test(start_paused = true)]
async fn others_see_refreshed_information() {
    let node = Setup { namespace: Namespace { join_leave: false, ..told() }, ..setup() }.memory();
    node.hub.identities.verify_by(Some(Tokens::new()));
    let client = connected(&node, "connect user=ann;about=1").await;
    client.say("sub a token=channel=a;user=ann;info=1").await;
    assert_eq!(known(&node).await, knows(Some("1"), Some("1")));
    client.say("refresh user=ann;about=2").await;
    assert_eq!(known(&node).await, knows(Some("2"), Some("1")));
    client.say("subrefresh a channel=a;user=ann;info=3").await;
    assert_eq!(known(&node).await, knows(Some("2"), Some("3")));
    let refresh = Refresh { info: Some("4".into()), ..Refresh::default() };
    ask(&node, Call::Refresh { of: ann(), refresh }).await;
    assert_eq!(known(&node).await, knows(Some("4"), Some("3")));
    client.say("unsub a").await;
    client.say("refresh user=ann;about=5").await;
    assert_eq!(known(&node).await, [[None, None]; 0]);
}

/// Nothing is permitted in it.
fn closed() -> Namespace {
    let access = Access::Server;
    Namespace { publish: access, subscribe: access, history: access, presence: access, ..told() }
}

#[tokio::test(start_paused = true)]
async fn capabilities_add_to_the_namespace() {
    let capability = |name: &str, is_wildcard, words: [&str; 2]| Capability {
        channels: vec![name.into()],
        is_wildcard,
        allowance: Allowance::of(words),
    };
    let capabilities = vec![capability("a", false, ["sub", "pub"]), capability("b*", true, ["sub", "prs"])];
    let answer = ConnectAnswer { capabilities, ..ConnectAnswer::default() };
    let (node, _, client) = named(closed(), &[Hook::Connect], answer).await;
    let refresh = Refresh { info: Some("4".into()), ..Refresh::default() };
    ask(&node, Call::Refresh { of: ann(), refresh }).await;
    client.lines();
    for (line, is_permitted) in [
        ("sub a", true),
        ("sub ab", false),
        ("sub bc", true),
        ("presence bc", true),
        ("presence a", false),
        ("pub a 1", true),
        ("pub bc 1", false),
    ] {
        client.say(line).await;
        settle().await;
        let is_refused = client.lines().iter().any(|line| line.starts_with("error"));
        assert_eq!(is_refused, !is_permitted, "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_s_rights_end_with_it() {
    let allowance = Allowance::of(["pub", "prs"]);
    let terms = SubscriptionTerms { allowance, ..SubscriptionTerms::default() };
    let answer = ConnectAnswer { subscriptions: vec![(channel("a"), terms)], ..ConnectAnswer::default() };
    let (_node, _, client) = named(closed(), &[Hook::Connect], answer).await;
    client.lines();
    client.say("pub a 1").await;
    client.say("presence a").await;
    let heard = client.lines();
    assert!(!heard.iter().any(|line| line.starts_with("error")), "{heard:?}");
    client.say("unsub a").await;
    client.say("pub a 1").await;
    assert!(client.lines().last().unwrap().starts_with("error"));
}
