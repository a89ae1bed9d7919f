//! Events for the operator's backend.

use std::time::Duration;

use fanfare_core::{
    Channel, ClientId, Partition, SessionId,
    outbox::{ConnectionEnd, Event, Member, Waiting},
    presence::PresenceEntry,
};
use tokio::time::{sleep, timeout};

use super::helpers::channel;
use crate::{
    bus::Bus,
    node::{PATIENCE, TestNode},
};

/// How long a node has the right to send, in cases that do not wait for the end of it.
const HOLD: Duration = Duration::from_secs(600);

impl TestNode {
    fn client(&self, session: u64) -> ClientId {
        ClientId { node: self.incarnation, session: SessionId(session) }
    }

    /// The ann whom [`TestNode::enters`] enters.
    #[must_use]
    pub fn member(&self, session: u64) -> Member {
        Member { client: self.client(session), user: "ann".to_owned() }
    }

    /// Enters ann into a channel.
    pub fn enters(&self, channel: &Channel, session: u64) {
        let info = Some(bytes::Bytes::from_static(br#"{"user":"bob"}"#));
        let (client, user) = (self.client(session), Some("ann".to_owned()));
        let entry = PresenceEntry { client, user, client_info: info.clone(), channel_info: info };
        self.started.backend.presence.enter(channel, entry);
    }

    /// Whether this node occupies a channel, by its clients.
    pub fn occupies(&self, channel: &Channel, is_occupied: bool) {
        self.started.backend.outbox.occupy(channel, is_occupied);
    }

    /// The beginning of the outbox, once this node has the right to send and the outbox has as many events.
    pub async fn outbox_with(&self, count: usize) -> Waiting {
        let mut last = Ok(None);
        let wait = async {
            loop {
                last = self.started.backend.outbox.next(1000, HOLD).await;
                if let Ok(Some(waiting)) = &last
                    && waiting.events.len() >= count
                {
                    return waiting.clone();
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("not {count} events: {last:?}"))
    }

    /// The events in the outbox, once these are there, and no others.
    pub async fn told(&self, expected: &[Event]) -> Waiting {
        let waiting = self.outbox_with(expected.len()).await;
        let events: Vec<_> = waiting.events.iter().map(|event| event.event.clone()).collect();
        assert_eq!(events, expected);
        waiting
    }
}

/// Events come in the order of the changes, and stay until they are removed.
pub async fn events_wait_until_they_are_removed(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let [first, ..] = &nodes[..] else { panic!("no node") };
    let here = beside_the_ends(first, "told:here");
    let outbox = &first.started.backend.outbox;
    outbox.members_of(Box::new(|channel| channel.as_str().starts_with("told:")));
    let mut expected = vec![Event::Occupied(here.clone()), Event::Joined(here.clone(), first.member(1))];
    first.enters(&here, 1);
    first.enters(&channel("quiet"), 1);
    first.told(&expected).await;
    first.occupies(&here, true);
    first.enters(&here, 1);
    first.occupies(&here, false);
    first.started.backend.presence.leave(&here, first.client(1));
    expected.extend([Event::Left(here.clone(), first.member(1)), Event::Vacated(here)]);
    first.told(&expected).await;
    for (session, code) in [(1, Some(3000)), (2, None)] {
        let (client, user) = (first.client(session), "ann".to_owned());
        let end = ConnectionEnd { client, user, code, reason: "gone".to_owned() };
        outbox.disconnected(end.clone());
        expected.push(Event::Disconnected(end));
    }
    let waiting = first.told(&expected).await;
    assert_eq!((waiting.count, waiting.events.last().map(|event| &event.id)), (6, waiting.last.as_ref()));
    assert!(waiting.events.is_sorted_by_key(|event| event.time_ms));
    let [.., third, _, _, _] = &waiting.events[..] else { panic!("fewer") };
    assert_eq!(outbox.remove(&third.id).await, Ok(3));
    let rest = expected.split_off(3);
    let waiting = first.told(&rest).await;
    assert_eq!(outbox.remove(&waiting.last.unwrap_or_else(|| panic!("no events"))).await, Ok(0));
    first.told(&[]).await;
}

/// A channel is occupied by the first node, and vacated by the last.
pub async fn a_channel_is_occupied_by_all_nodes(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let [first, ..] = &nodes[..] else { panic!("no node") };
    let here = beside_the_ends(first, "here");
    let mut expected = vec![Event::Occupied(here.clone())];
    for node in &nodes {
        node.occupies(&here, true);
        node.occupies(&here, true);
        node.settled(&mut expected, first).await;
    }
    for (left, node) in (0..nodes.len()).rev().zip(&nodes) {
        node.occupies(&here, false);
        if left == 0 {
            expected.push(Event::Vacated(here.clone()));
        }
        node.settled(&mut expected, first).await;
    }
    first.occupies(&here, true);
    expected.push(Event::Occupied(here));
    first.told(&expected).await;
}

/// A channel of the first partition, where the ends of connections are: events of different partitions have no order.
fn beside_the_ends(node: &TestNode, name: &str) -> Channel {
    let mut channels = (0..).map(|number| channel(&format!("{name}-{number}")));
    let is_there = |channel: &Channel| node.started.backend.broker.partition_of(channel) == Partition(0);
    let Some(found) = channels.find(is_there) else { unreachable!("numbers do not end") };
    found
}

impl TestNode {
    /// Waits until this node has written its changes, behind which it writes the end of a connection.
    async fn settled(&self, expected: &mut Vec<Event>, reader: &Self) {
        let (client, user) = (self.client(expected.len() as u64), String::new());
        let end = ConnectionEnd { client, user, code: None, reason: "lost".to_owned() };
        self.started.backend.outbox.disconnected(end.clone());
        expected.push(Event::Disconnected(end));
        reader.told(expected).await;
    }
}

/// One node at a time has the right to send, until it gives it up.
pub async fn one_node_sends_events(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let [first, others @ ..] = &nodes[..] else { panic!("no node") };
    let outbox = |node: &TestNode| node.started.backend.outbox.clone();
    first.told(&[]).await;
    for other in others {
        assert_eq!(outbox(other).next(10, HOLD).await, Ok(None));
        assert_eq!(outbox(other).release().await, Ok(()));
        assert_eq!(outbox(other).next(10, HOLD).await, Ok(None));
        first.told(&[]).await;
        assert_eq!(outbox(first).release().await, Ok(()));
        other.told(&[]).await;
        assert_eq!(outbox(first).next(10, HOLD).await, Ok(None));
        assert_eq!(outbox(other).release().await, Ok(()));
        first.told(&[]).await;
    }
}
