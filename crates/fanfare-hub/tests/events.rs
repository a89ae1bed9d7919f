//! The outbox is told which channels have clients, and whose connections ended.

use std::time::Duration;

use fanfare_core::{Disconnect, Limits, Namespace, Namespaces, outbox::Event};

use crate::{
    connecting::{connected, setup},
    support::{Client, Node, Setup, Tokens, settle},
};

fn told() -> Namespace {
    Namespace { name: "told".into(), events: true, ..Namespace::default() }
}

fn node() -> Node {
    let listed = Namespace { name: "listed".into(), tracks_presence: true, ..told() };
    Setup { named: vec![told(), listed], ..Setup::default() }.memory()
}

/// The events so far, in words, and removes them.
async fn events(node: &Node) -> Vec<String> {
    settle().await;
    let waiting = node.outbox.next(1000, Duration::ZERO).await.unwrap().unwrap();
    if let Some(last) = waiting.last {
        node.outbox.remove(&last).await.unwrap();
    }
    let word = |event| match event {
        Event::Occupied(channel) => format!("occupied {channel}"),
        Event::Vacated(channel) => format!("vacated {channel}"),
        Event::Joined(channel, member) => format!("joined {channel} {}", member.client.session.0),
        Event::Left(channel, member) => format!("left {channel} {}", member.client.session.0),
        Event::Disconnected(end) => {
            format!("disconnected {} {} {:?} {}", end.client.session.0, end.user, end.code, end.reason)
        }
    };
    waiting.events.into_iter().map(|event| word(event.event)).collect()
}

fn reload(node: &Node, named: Vec<Namespace>) {
    node.hub.settings.reload(&Limits::default(), Namespaces::new(Namespace::default(), named));
}

fn number(client: &Client) -> u64 {
    client.session.id().0
}

#[tokio::test(start_paused = true)]
async fn the_first_and_the_last_client_are_told() {
    let node = node();
    let first = node.client_in(&["told:a", "quiet"]).await;
    let second = node.client_in(&["told:a", "quiet"]).await;
    assert_eq!(events(&node).await, ["occupied told:a"]);
    first.leave("told:a");
    node.hub.goodbyes.end(&first.session, &Disconnect::Lost);
    assert!(events(&node).await.is_empty());
    node.hub.goodbyes.end(&second.session, &Disconnect::Lost);
    assert_eq!(events(&node).await, ["vacated told:a"], "the ends of these clients are not told");
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_vacated_after_its_members_left() {
    let node = node();
    let client = node.client_in(&["listed:a"]).await;
    let member = number(&client);
    assert_eq!(events(&node).await, ["occupied listed:a".to_owned(), format!("joined listed:a {member}")]);
    node.hub.goodbyes.end(&client.session, &Disconnect::Lost);
    assert!(events(&node).await.is_empty(), "it may come back");
    tokio::time::sleep(Namespace::default().presence_grace).await;
    assert_eq!(events(&node).await, [format!("left listed:a {member}"), "vacated listed:a".to_owned()]);
}

#[tokio::test(start_paused = true)]
async fn a_session_counts_where_it_joined_with_events() {
    let node = Setup::default().memory();
    let before = node.client_in(&["told:a"]).await;
    reload(&node, vec![told()]);
    let after = node.client_in(&["told:a"]).await;
    assert_eq!(events(&node).await, ["occupied told:a"]);
    before.leave("told:a");
    assert!(events(&node).await.is_empty());
    reload(&node, Vec::new());
    after.leave("told:a");
    assert_eq!(events(&node).await, ["vacated told:a"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connected_client_is_told() {
    let node = setup().memory();
    node.hub.identities.verify_by(Some(Tokens::new()));
    let untold = connected(&node, "connect user=me").await;
    node.hub.goodbyes.end(&untold.session, &Disconnect::Lost);
    node.hub.events.tell_ends(true);
    let [never, lost, closed, sent] = [
        node.client(),
        connected(&node, "connect user=me").await,
        connected(&node, "connect user=me").await,
        connected(&node, "connect user=me").await,
    ];
    let ends = [
        (&never, Disconnect::Stale),
        (&lost, Disconnect::Lost),
        (&closed, Disconnect::ByClient(Some(1001))),
        (&sent, Disconnect::Slow),
    ];
    for (client, disconnect) in &ends {
        node.hub.goodbyes.end(&client.session, disconnect);
        node.hub.goodbyes.end(&client.session, &Disconnect::Lost);
    }
    let ends = events(&node).await;
    assert_eq!(ends.len(), 3, "{ends:?}");
    assert_eq!(ends[0], format!("disconnected {} me None lost", number(&lost)));
    assert_eq!(ends[1], format!("disconnected {} me Some(1001) client", number(&closed)));
    assert!(ends[2].starts_with(&format!("disconnected {} me Some(", number(&sent))), "{ends:?}");
}
