//! Calls about the clients of a node.

use std::time::SystemTime;

use fanfare_core::{ClientId, Incarnation, NodeInfo};
use fanfare_hub::calls::{
    call::{Answer, Call, Connection, Refresh, Selection},
    gather::Gathered,
};

use crate::{
    connecting,
    support::{Client, INCARNATION, Node, Setup, Tokens, settle},
};

async fn ask(node: &Node, call: Call) -> Answer {
    let Gathered { answers, silent } = node.hub.calls.ask(call, &[], None).await;
    assert!(silent.is_empty());
    let [(INCARNATION, answer)] = &answers[..] else { panic!("{answers:?}") };
    answer.clone()
}

async fn connections(
    node: &Node,
    of: Selection,
    after: Option<String>,
    limit: usize,
) -> (Vec<Connection>, bool) {
    match ask(node, Call::Connections { of, after, limit }).await {
        Answer::Connections { connections, more } => (connections, more),
        answer => panic!("{answer:?}"),
    }
}

fn id(client: &Client) -> String {
    ClientId { node: INCARNATION, session: client.session.id() }.to_string()
}

fn in_channel(channel: &str) -> Selection {
    Selection { channel: Some(channel.into()), ..Selection::default() }
}

fn of_client(client: &Client) -> Selection {
    Selection { client: Some(id(client)), ..Selection::default() }
}

#[tokio::test(start_paused = true)]
async fn connections_come_in_pages_by_channel() {
    let node = Setup::default().memory();
    let clients =
        [node.client_in(&["a"]).await, node.client_in(&["b"]).await, node.client_in(&["a", "b"]).await];
    let ids =
        |connections: &[Connection]| connections.iter().map(|one| one.client.clone()).collect::<Vec<_>>();
    let (all, more) = connections(&node, Selection::default(), None, 9).await;
    assert_eq!((ids(&all), more), (clients.iter().map(id).collect(), false));
    assert_eq!(all[2].channels, ["a", "b"]);
    let (first, more) = connections(&node, in_channel("a"), None, 1).await;
    assert_eq!((ids(&first), more), (vec![id(&clients[0])], true));
    let (second, more) = connections(&node, in_channel("a"), Some(first[0].client.clone()), 1).await;
    assert_eq!((ids(&second), more), (vec![id(&clients[2])], false));
    let nobody = Selection { client: Some("nonsense".into()), ..Selection::default() };
    assert_eq!(connections(&node, nobody, None, 9).await, (vec![], false));
}

#[tokio::test(start_paused = true)]
async fn channels_fit_a_pattern() {
    let node = Setup::default().memory();
    let _clients = [node.client_in(&["chat:1", "news"]).await, node.client_in(&["chat:1", "chat:2"]).await];
    let found = |answer| match answer {
        Answer::Channels { channels, more } => (channels.into_iter().collect::<Vec<_>>(), more),
        answer => panic!("{answer:?}"),
    };
    let chats = ask(&node, Call::Channels { pattern: Some("chat:*".into()), limit: 9 }).await;
    assert_eq!(found(chats), (vec![("chat:1".into(), 2), ("chat:2".into(), 1)], false));
    let first = ask(&node, Call::Channels { pattern: None, limit: 1 }).await;
    assert_eq!(found(first), (vec![("chat:1".into(), 2)], true));
}

#[tokio::test(start_paused = true)]
async fn the_server_subscribes_and_unsubscribes_clients() {
    let node = Setup::default().memory();
    let client = node.client_in(&["a"]).await;
    let done = Answer::Done { clients: 1 };
    let of = of_client(&client);
    assert_eq!(
        ask(&node, Call::Subscribe { of: of.clone(), channel: "b".into(), terms: Box::default() }).await,
        done
    );
    node.publish("b", "hello").await.unwrap();
    settle().await;
    let with_push = client.lines();
    assert_eq!(with_push.last().map(String::as_str), Some("b hello"), "{with_push:?}");
    assert_eq!(ask(&node, Call::Unsubscribe { of: of.clone(), channel: "b".into() }).await, done);
    assert_eq!(
        ask(&node, Call::Subscribe { of: of.clone(), channel: "c".into(), terms: Box::default() }).await,
        done
    );
    assert_eq!(ask(&node, Call::Unsubscribe { of: of.clone(), channel: String::new() }).await, done);
    let lines = client.lines();
    assert_eq!(lines[lines.len() - 2..], ["unsubscribed a", "unsubscribed c"]);
    assert_eq!(
        ask(&node, Call::Unsubscribe { of, channel: String::new() }).await,
        Answer::Done { clients: 0 }
    );
    assert_eq!(
        ask(&node, Call::Unsubscribe { of: in_channel("b"), channel: "b".into() }).await,
        Answer::Done { clients: 0 }
    );
}

#[tokio::test(start_paused = true)]
async fn the_server_disconnects_all_in_a_channel() {
    let node = Setup::default().memory();
    let (ended, stays) = (node.client_in(&["a"]).await, node.client_in(&["b"]).await);
    let excepted = node.client_in(&["a"]).await;
    let except = vec![id(&excepted), "nonsense".into()];
    let call = Call::Disconnect { of: in_channel("a"), code: 4001, reason: "bye".into(), except };
    assert_eq!(ask(&node, call).await, Answer::Done { clients: 1 });
    settle().await;
    assert_eq!(ended.lines().last().map(String::as_str), Some("close 4001 bye"));
    assert!(!stays.session.has_ended() && !excepted.session.has_ended());
    assert_eq!(node.closed("server"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_named() {
    let node = Setup::default().memory();
    let nodes = [NodeInfo::first(INCARNATION, "here", 1), NodeInfo::first(Incarnation(8), "there", 1)];
    let call = Call::Channels { pattern: None, limit: 1 };
    let Gathered { answers, silent } = node.hub.calls.ask(call, &nodes, None).await;
    assert_eq!((answers.len(), silent), (1, vec!["there".to_owned()]));
}

/// Clients with an identity, and one without.
async fn refreshed(refresh: Refresh) -> (Node, Client, Answer) {
    let node = connecting::setup().memory();
    node.hub.identities.verify_by(Some(Tokens::new()));
    let (known, unknown) = (node.client(), node.client());
    known.say("connect user=ann;expires=60").await;
    unknown.say("connect").await;
    let answer = ask(&node, Call::Refresh { of: Selection::default(), refresh }).await;
    settle().await;
    (node, known, answer)
}

#[tokio::test(start_paused = true)]
async fn the_server_refreshes_clients() {
    let later = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 600;
    for (expires_at, line) in [(None, "refreshed false"), (Some(later), "refreshed true")] {
        let info = Some("2".to_owned());
        let refresh = Refresh { expires_at, info, ..Refresh::default() };
        let (node, known, answer) = refreshed(refresh.clone()).await;
        assert_eq!(answer, Answer::Done { clients: 1 });
        assert_eq!(known.lines().last().unwrap(), line);
        ask(&node, Call::Refresh { of: of_client(&known), refresh }).await;
        let identity = known.session.identity().unwrap();
        assert_eq!((identity.subject(), identity.info()), (Some("ann"), Some("2".into())));
        assert_eq!(identity.expires_at().is_some(), expires_at.is_some());
        assert!(identity.changes().unwrap().changes().is_none(), "a change of a change keeps no more");
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_ends_what_is_expired() {
    let (node, known, answer) = refreshed(Refresh { expires_at: Some(1), ..Refresh::default() }).await;
    assert_eq!(answer, Answer::Done { clients: 2 });
    assert!(known.session.has_ended());
    assert_eq!(node.closed("expired"), 2);
    let (node, _, answer) = refreshed(Refresh { is_expired: true, ..Refresh::default() }).await;
    assert_eq!(answer, Answer::Done { clients: 2 });
    assert_eq!(node.closed("expired"), 2);
}
