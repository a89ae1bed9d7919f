//! The clients in channels.

use bytes::Bytes;
use fanfare_core::{
    Channel, ClientId, SessionId,
    presence::{PresenceEntry, PresenceStats},
};
use tokio::time::{sleep, timeout};

use super::helpers::channel;
use crate::{
    bus::Bus,
    node::{PATIENCE, TestNode},
};

fn entry(node: &TestNode, session: u64, user: Option<&str>) -> PresenceEntry {
    PresenceEntry {
        client: ClientId { node: node.incarnation, session: SessionId(session) },
        user: user.map(str::to_owned),
        client_info: user.map(|_| Bytes::from_static(br#"{"a":1}"#)),
        channel_info: user.map(|_| Bytes::from_static(b"[1]")),
    }
}

/// Waits until a node sees these entries, in any order.
async fn sees(node: &TestNode, channel: &Channel, mut expected: Vec<PresenceEntry>) {
    let presence = &node.started.backend.presence;
    expected.sort_by_key(|entry| entry.client);
    let mut last = Vec::new();
    let wait = async {
        while last != expected {
            sleep(std::time::Duration::from_millis(5)).await;
            last = presence.members(channel).await.unwrap_or_default();
        }
    };
    let is_seen = timeout(PATIENCE, wait).await.is_ok();
    assert!(is_seen, "on {channel}: {last:?}, not {expected:?}");
}

/// The entries of all nodes are seen on all nodes, with what they say, and only in their channel.
pub async fn every_node_sees_who_is_present(bus: &impl Bus) {
    let (nodes, here, other) = (bus.nodes().await, channel("here"), channel("other"));
    let mut all = Vec::new();
    for node in &nodes {
        node.is_up().await;
        for (session, user) in [(1, Some("ann")), (2, Some("ann")), (3, None)] {
            let entry = entry(node, session, user);
            node.started.backend.presence.enter(&here, entry.clone());
            all.push(entry);
        }
    }
    for node in &nodes {
        sees(node, &here, all.clone()).await;
        sees(node, &other, Vec::new()).await;
        let stats = node.started.backend.presence.stats(&here).await;
        let clients = 3 * nodes.len() as u64;
        assert_eq!(stats, Ok(PresenceStats { clients, users: 2 }));
    }
    for node in &nodes {
        for session in 1..=3 {
            let client = ClientId { node: node.incarnation, session: SessionId(session) };
            node.started.backend.presence.leave(&here, client);
        }
    }
    for node in &nodes {
        sees(node, &here, Vec::new()).await;
    }
}

/// Every node sees an entry once it is entered, in channels of all partitions.
pub async fn an_entry_is_seen_once_entered(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let [first, ..] = &nodes[..] else { panic!("no node") };
    first.is_up().await;
    for number in 0..20 {
        let (here, entry) = (channel(&format!("here:{number}")), entry(first, 1, None));
        first.started.backend.presence.enter(&here, entry.clone());
        if let Some(entered) = first.started.backend.presence.entered(&here) {
            assert!(timeout(PATIENCE, entered).await.is_ok(), "on {here}: not entered");
        }
        for node in &nodes {
            let members = node.started.backend.presence.members(&here).await;
            assert_eq!(members, Ok(vec![entry.clone()]), "on {here}");
        }
    }
}

/// The newest entry of a client counts, and a client that left twice has left.
pub async fn an_entry_is_replaced_and_leaves_once(bus: &impl Bus) {
    let (nodes, here) = (bus.nodes().await, channel("here"));
    let [first, ..] = &nodes[..] else { panic!("no node") };
    first.is_up().await;
    let presence = &first.started.backend.presence;
    presence.enter(&here, entry(first, 1, None));
    presence.enter(&here, entry(first, 1, Some("ann")));
    sees(first, &here, vec![entry(first, 1, Some("ann"))]).await;
    presence.leave(&here, entry(first, 1, None).client);
    presence.leave(&here, entry(first, 1, None).client);
    presence.leave(&here, entry(first, 2, None).client);
    sees(first, &here, Vec::new()).await;
    presence.enter(&here, entry(first, 1, None));
    sees(first, &here, vec![entry(first, 1, None)]).await;
}
