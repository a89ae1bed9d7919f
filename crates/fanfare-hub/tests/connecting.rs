//! Clients that say who they are in their first command.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use fanfare_core::{Limits, Namespace, Payload, Publish, Revocation, SubscribeError, revocation};
use fanfare_hub::{ConnectRules, Next, Peer};
use tokio::time::sleep;

use crate::{
    healing::namespace,
    news::told,
    support::{
        Client, Framing, Histories, Lines, Node, Pipe, Recorder, Setup, Tokens, channel, lines::text, settle,
    },
};

pub(crate) const GRACE: Duration = Duration::from_secs(25);

/// A node whose clients connect by a command.
pub(crate) fn setup() -> Setup {
    let connects = Some(ConnectRules { expiry_grace: GRACE });
    Setup { connects, dialect: Lines::naming(), ..Setup::default() }
}

pub(crate) fn recorded(setup: Setup) -> (Node, Arc<Recorder>, Arc<Tokens>) {
    let (node, recorder) = setup.recorded();
    let tokens = Tokens::new();
    node.hub.identities.verify_by(Some(tokens.clone()));
    (node, recorder, tokens)
}

/// A client that has connected with this line.
pub(crate) async fn connected(node: &Node, line: &str) -> Client {
    let client = node.client();
    client.say(line).await;
    assert!(client.lines().iter().any(|line| line.starts_with("connected 1")));
    client
}

/// The lines for a client that says these lines at once.
async fn hears(node: &Node, lines: &[&str]) -> Vec<String> {
    let client = node.client();
    client.tell(lines);
    settle().await;
    client.lines()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_carried_out_before_the_connect() {
    let (node, recorder, _) = recorded(setup());
    for command in ["sub a", "pub a hello", "unsub a", "refresh user=ann", "history a"] {
        let heard = hears(&node, &[command, "connect"]).await;
        assert_eq!(heard, ["close 71 the first command has to be the connect"], "{command}");
    }
    assert!(recorder.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_connects_once() {
    let (node, recorder, _) = recorded(setup());
    let heard = hears(&node, &["connect", "connect", "sub a"]).await;
    assert_eq!(heard, ["connected 1", "close 71 a client connects once"]);
    assert!(recorder.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_dialect_has_no_connect() {
    let node = Setup::default().memory();
    assert_eq!(hears(&node, &["connect"]).await, ["close 71 a client connects once"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_says_who_connects() {
    let (node, _, _) = recorded(setup());
    assert_eq!(hears(&node, &["connect"]).await, ["connected 1"]);
    assert_eq!(hears(&node, &["connect user=ann;expires=60"]).await, ["connected 1 expires"]);
    assert_eq!(hears(&node, &["connect bad"]).await, ["close 83 the token is not good"]);
    let late = hears(&node, &["connect expired", "sub a"]).await;
    assert_eq!(
        late,
        [
            "error 1 the token expired: get a new one",
            "close 71 the connect failed: connect again over a new connection"
        ]
    );
    node.hub.identities.verify_by(None);
    let unknown = hears(&node, &["connect user=ann"]).await;
    assert_eq!(unknown, ["close 83 this server has no keys to verify a token: connect without one"]);
}

#[tokio::test(start_paused = true)]
async fn the_handshake_may_have_said_who_connects() {
    let (node, recorder, tokens) = recorded(setup());
    let known = fanfare_core::Authenticator::authenticate(&*tokens, "user=ann", SystemTime::now()).unwrap();
    let session = node.hub.sessions.open(&node.kind, Peer { identity: Some(known), ..Peer::default() });
    let pipe = Pipe::open(Framing::Newline);
    node.hub.sessions.attach(&session, pipe.framing(), pipe.sink());
    let client = Client::new(node.hub.clone(), session, pipe);
    client.say("connect").await;
    client.say("sub chat#ann").await;
    assert_eq!(client.lines(), ["connected 1", "ok 2"]);
    assert_eq!(recorder.calls(), ["subscribe chat#ann"]);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_does_not_connect() {
    let node = setup().memory();
    node.hub.identities.verify_by(Some(Tokens::new()));
    let client = connected(&node, "connect user=ann").await;
    let tokens = revocation::Tokens::WithId("ann".into());
    let until = SystemTime::now() + Duration::from_secs(3600);
    assert_eq!(node.hub.revoked.revoke(&Revocation { tokens, until }).await, Ok(1));
    settle().await;
    assert!(client.session.has_ended());
    assert_eq!(hears(&node, &["connect user=ann"]).await, ["close 83 the token was revoked: get a new one"]);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_subscribes_follow_a_connect_together() {
    let (node, recorder, _) = recorded(setup());
    recorder.hold_confirmations();
    let client = node.client();
    let mut lines = vec!["connect".to_owned()];
    lines.extend((0..100).map(|number| format!("sub c{number}")));
    client.tell(&lines);
    assert_eq!(recorder.calls().len(), 100, "nothing was confirmed yet");
    (0..100).for_each(|_| recorder.confirm(Ok(())));
    settle().await;
    let lines = client.lines();
    assert_eq!((lines.len(), lines[0].as_str()), (101, "connected 1"));
    assert_eq!(client.pipe.writes(), 2, "the connect, and the subscribes");
}

#[tokio::test(start_paused = true)]
async fn commands_behind_a_waiting_connect_keep_their_order() {
    let (node, recorder, tokens) = recorded(setup());
    let client = node.client();
    client.tell(&["connect later", "sub a", "pub a hello", "unsub a", "sub b", "refresh later", "sub a"]);
    settle().await;
    assert_eq!((recorder.calls(), client.lines()), (vec![], vec![]));
    recorder.hold_confirmations();
    tokens.renew();
    settle().await;
    assert_eq!(client.lines(), ["connected 1", "refreshed 6"]);
    assert_eq!(recorder.calls(), ["subscribe a", "subscribe b"]);
    recorder.confirm_last(Ok(()));
    recorder.confirm(Ok(()));
    settle().await;
    assert_eq!(recorder.calls(), ["publish a", "unsubscribe a", "subscribe a"]);
    recorder.confirm(Ok(()));
    settle().await;
    let mut lines = client.lines();
    lines.sort();
    assert_eq!(lines, ["ok 2", "ok 4", "ok 5", "ok 7"]);
}

#[tokio::test(start_paused = true)]
async fn few_commands_wait_behind_a_connect() {
    let (node, _, tokens) = recorded(setup());
    let client = node.client();
    let say = |line: String| client.inbound.lock().receive(|receiving| receiving.message(text(line)));
    assert_eq!(say("connect later".into()), Next::Accepted);
    let nexts: Vec<_> = (0..127).map(|number| say(format!("sub c{number}"))).collect();
    assert_eq!(nexts.iter().filter(|next| **next == Next::Accepted).count(), 126);
    assert!(!client.is_ready());
    tokens.renew();
    settle().await;
    assert!(client.is_ready());
    assert_eq!(client.lines().len(), 128);
}

#[tokio::test(start_paused = true)]
async fn a_failed_connect_ends_what_waits_behind_it() {
    let (node, recorder, tokens) = recorded(setup());
    let client = node.client();
    client.tell(&["connect later;bad", "sub a", "pub a hello"]);
    settle().await;
    tokens.renew();
    settle().await;
    assert_eq!(client.lines(), ["close 83 the token is not good"]);
    assert!(recorder.calls().is_empty() && client.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_connect_is_stale() {
    let limits = Limits { handshake: Duration::from_secs(5), ..Limits::default() };
    let (node, _, _) = recorded(Setup { limits, ..setup() });
    let (silent, failed, good) = (node.client(), node.client(), node.client());
    failed.say("connect expired").await;
    good.say("connect").await;
    sleep(Duration::from_secs(4)).await;
    assert!(!silent.session.has_ended());
    sleep(Duration::from_secs(3)).await;
    assert_eq!(silent.lines(), ["close 85 stale"]);
    assert_eq!(failed.lines(), ["error 1 the token expired: get a new one", "close 85 stale"]);
    assert!(!good.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn nothing_keeps_a_session_that_ended() {
    let (node, _, _) = recorded(setup());
    let client = node.client();
    let session = Arc::downgrade(&client.session);
    client.end(&fanfare_core::Disconnect::Lost);
    drop(client);
    settle().await;
    assert!(session.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_token_s_channels_are_joined_at_once() {
    let histories = Histories::new();
    let namespace = Namespace { subscribe: fanfare_core::Access::Server, ..namespace() };
    let (node, recorder, _) = recorded(Setup { namespace, histories: Some(histories.clone()), ..setup() });
    recorder.deliver_all(histories.accept("a", 3));
    recorder.hold_confirmations();
    let client = node.client();
    client.tell(&["connect user=ann;channels=a,b,a,$c a=*:1 b=?:7 d=*:1", "pub b hello"]);
    settle().await;
    assert_eq!(recorder.calls(), ["subscribe a", "subscribe b", "subscribe $c"]);
    (0..3).for_each(|_| recorder.confirm(Ok(())));
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    recorder.deliver_all(histories.accept("$c", 1));
    settle().await;
    let lines = client.lines();
    // The position of the first may be before or behind the publication on its way.
    assert!(
        lines == ["connected 1 a whole 2 3 b lost $c", "a 4", "$c 1"]
            || lines == ["connected 1 a whole 2 3 4 b lost $c", "$c 1"],
        "{lines:?}"
    );
    assert_eq!(recorder.calls(), ["publish b"]);
}

#[tokio::test(start_paused = true)]
async fn a_connect_joins_all_channels_or_none() {
    let (node, recorder, _) = recorded(setup());
    recorder.hold_confirmations();
    let client = node.client();
    client.tell(&["connect channels=a,b"]);
    recorder.confirm(Ok(()));
    recorder.confirm(Err(SubscribeError::Busy));
    settle().await;
    let unavailable = SubscribeError::Unavailable;
    assert_eq!(client.lines(), [format!("error 1 {unavailable}")]);
    let mut calls = recorder.calls();
    calls.sort();
    assert_eq!(calls, ["subscribe a", "subscribe b", "unsubscribe a", "unsubscribe b"]);
    client.say("sub a").await;
    assert!(client.session.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_token_may_name_too_many_channels() {
    let limits = Limits { channels_per_connection: 2, ..Limits::default() };
    let (node, recorder, _) = recorded(Setup { limits, ..setup() });
    assert_eq!(hears(&node, &["connect channels=a,b,c"]).await, ["close 87 too many channels"]);
    assert!(recorder.calls().is_empty());
    assert_eq!(node.hub.metrics().limits_hit.count(fanfare_core::Limit::ChannelsPerConnection), 1);
}

#[tokio::test(start_paused = true)]
async fn subscribers_are_told_who_published() {
    let node = setup().memory();
    node.hub.identities.verify_by(Some(Tokens::new()));
    let client = connected(&node, "connect user=ann").await;
    client.say("sub a token=channel=a;user=ann;info=!").await;
    client.say("pub a hello").await;
    let publish = Publish::new(channel("a"), Payload::text("hello too"));
    node.hub.publisher.publish_from_server(publish, None, false).await.unwrap();
    settle().await;
    let mut lines = client.lines();
    lines.sort();
    assert_eq!(lines, ["a hello by ann!", "a hello too", "ok 2", "ok 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_has_terms_for_its_channels() {
    let node = Setup { namespace: told(), ..setup() }.memory();
    node.hub.identities.verify_by(Some(Tokens::new()));
    let watcher = node.client();
    watcher.say("connect user=ann;channels=a;data=hi;info=!;joins=1").await;
    settle().await;
    assert_eq!(watcher.lines(), ["connected 1 a hi", "joined a 1"]);
    watcher.say("pub a hello").await;
    settle().await;
    assert!(watcher.lines().contains(&"a hello by ann!".to_owned()));
    let guest = connected(&node, "connect user=bob").await;
    guest.say("sub a token=channel=a;user=bob;data=you;joins=1").await;
    settle().await;
    assert_eq!(guest.lines(), ["ok 2 you", "joined a 2"]);
}
