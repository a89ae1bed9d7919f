//! Nodes count connections, closes, messages and bytes exactly as their clients do.

use std::ops::{Add, AddAssign};

use fanfare_testkit::{Endpoint, TestCluster, assert_eventually};
use fanfare_websocket::{FrameHead, Opcode};
use serde_json::json;

use crate::ledger::{Ledger, Member};

/// All ends of the clients in the test.
const ENDS: &[(&str, &str)] = &[
    ("1000", "client"),
    ("4xxx", "client"),
    ("none", "client"),
    ("none", "lost"),
    ("1009", "message_too_big"),
    ("1002", "protocol"),
    ("1012", "restart"),
];

const TOML: &str = r#"
    # The time that a client has for its close.
    limits.goodbye = "30s"
    limits.message_bytes = "2KiB"
    relay.ping_interval = "60m"
    drain.timeout = "60s"
    websocket.deflate = true
    [[namespace]]
    name = "closed"
    subscribe = "server"
"#;

const MEMBERS: usize = 5;

/// A number of members on each node; one of them gets compressed messages.
async fn members(cluster: &TestCluster) -> Vec<Vec<Member>> {
    let mut all = Vec::new();
    for node in &cluster.nodes {
        let mut here = Vec::new();
        for number in 0..MEMBERS {
            let offer = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
            let headers = if number == 1 { &[offer][..] } else { &[] };
            here.push(Member::join(**node, "/ws/all", headers).await);
        }
        all.push(here);
    }
    all
}

/// Sends messages. Returns their number.
async fn talk(member: &mut Member) -> u64 {
    member.text("hello").await;
    member.message(Opcode::Binary, b"\x00\xff", 1).await;
    member.message(Opcode::Text, b"", 1).await;
    member.message(Opcode::Binary, b"", 1).await;
    member.message(Opcode::Text, b"in three frames", 3).await;
    member.frame(FrameHead::whole(Opcode::Ping), b"are you there").await;
    member.text(&"again and ".repeat(150)).await;
    6
}

/// Publishes through the API. Returns the number of messages.
async fn publish(node: Endpoint) -> u64 {
    node.publish("all", "text").await;
    node.publish("all", json!({"some": "json"})).await;
    node.publish("all", "").await;
    let binary = node.post(&json!({"channel": "all", "b64data": "AP8="})).await;
    assert_eq!(binary.status, 200, "{}", binary.text());
    4
}

/// Clients that are refused by origin, namespace and path are not connections. Returns their number.
async fn are_refused(node: Endpoint) -> f64 {
    node.upgrade("/ws/all", &[("Origin", "https://elsewhere.example")]).await.is(403, "");
    node.upgrade("/ws/closed:1", &[]).await.is(403, "");
    node.upgrade("/ws/", &[]).await.is(404, "");
    3.0
}

/// Two members leave, each in its own way; three stay.
async fn leave(mut members: Vec<Member>) -> (Ledger, Vec<Member>) {
    let mut ledger = Ledger::default();
    let mut next = || members.pop().unwrap();
    ledger += next().leaves(&1000_u16.to_be_bytes(), "1000").await;
    ledger += next().vanishes().await;
    (ledger, members)
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, more: Self) {
        self.opened += more.opened;
        self.messages_received += more.messages_received;
        self.bytes_received += more.bytes_received;
        self.messages_sent += more.messages_sent;
        self.bytes_sent += more.bytes_sent;
        for (end, count) in more.closed {
            *self.closed.entry(end).or_default() += count;
        }
    }
}

impl Add for Ledger {
    type Output = Self;

    fn add(mut self, more: Self) -> Self {
        self += more;
        self
    }
}

/// The counts of a node.
async fn of(node: Endpoint) -> Ledger {
    let metrics = node.metrics().await;
    let count = |series: &str| metrics.sum(series) as u64;
    let closed = |(code, reason): &(&str, &str)| {
        let series = format!(
            "fanfare_connections_closed_total{{code=\"{code}\",dialect=\"relay\",reason=\"{reason}\"}}"
        );
        (((*code).into(), (*reason).into()), count(&series))
    };
    let ledger = Ledger {
        opened: count("fanfare_connections_opened_total{dialect=\"relay\"}"),
        messages_received: count("fanfare_messages_received_total"),
        bytes_received: count("fanfare_wire_received_bytes_total"),
        messages_sent: count("fanfare_messages_sent_total"),
        bytes_sent: count("fanfare_wire_sent_bytes_total"),
        closed: ENDS.iter().map(closed).filter(|(_, count)| *count > 0).collect(),
    };
    let all: u64 = ledger.closed.values().sum();
    assert_eq!(all, count("fanfare_connections_closed_total"), "closed in a way that no client saw");
    ledger
}

/// The counts of the nodes together.
async fn counted(nodes: &[Endpoint]) -> Ledger {
    let mut all = Ledger::default();
    for node in nodes {
        all += of(*node).await;
    }
    all
}

async fn is_counted(nodes: &[Endpoint], clients: &Ledger) {
    let mut found;
    assert_eventually!(
        {
            found = counted(nodes).await;
            found == *clients
        },
        "clients counted {clients:#?}, nodes {found:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_count_as_their_clients_do() {
    let mut cluster = TestCluster::start_with(3, TOML).await;
    let nodes: Vec<Endpoint> = cluster.nodes.iter().map(|node| **node).collect();
    is_counted(&nodes, &Ledger::default()).await;
    let mut members = members(&cluster).await;
    let mut published = 0;
    for (node, members) in nodes.iter().zip(&mut members) {
        for member in members {
            published += talk(member).await;
        }
        published += publish(*node).await;
    }
    let mut clients = Ledger::default();
    let mut staying = Vec::new();
    for mut members in members {
        for member in &mut members {
            assert_eq!(member.has(published).await, 1, "its ping was answered");
        }
        let (ledger, members) = leave(members).await;
        clients += ledger;
        staying.push(members);
    }
    let mut draining = staying.pop().unwrap();
    for members in &mut staying {
        let mut speaks_too_long = members.pop().unwrap();
        speaks_too_long.frame(FrameHead::whole(Opcode::Text), &[b'x'; 3000]).await;
        clients += speaks_too_long.closed("1009", "message_too_big").await;
        let mut breaks_rules = members.pop().unwrap();
        breaks_rules.frame(FrameHead::whole(Opcode::Continuation), b"of nothing").await;
        clients += breaks_rules.closed("1002", "protocol").await;
    }
    clients += staying[0].pop().unwrap().leaves(&4123_u16.to_be_bytes(), "4xxx").await;
    clients += staying[1].pop().unwrap().leaves(&[], "none").await;
    let mut refused = 0.0;
    for node in &nodes {
        refused += are_refused(*node).await;
    }

    let here = draining.iter().fold(clients.clone(), |all, member| all + member.ledger.clone());
    is_counted(&nodes, &here).await;

    // The last client of the draining node answers its close only after the checks: until then the node still answers.
    let leaving = cluster.nodes.pop().unwrap();
    let leaving = tokio::spawn(leaving.stop());
    let mut last = draining.pop().unwrap();
    last.is_told_goodbye("1012", "restart").await;
    for member in draining {
        clients += member.closed("1012", "restart").await;
    }
    is_counted(&nodes, &(clients.clone() + last.ledger.clone())).await;
    let sum = async |series: &str| {
        let mut sum = 0.0;
        for node in &nodes {
            sum += node.metric(series).await;
        }
        sum
    };
    assert_eq!(sum("fanfare_deliveries_total").await, (published * 3 * MEMBERS as u64) as f64);
    assert_eq!(sum("fanfare_connections").await, 0.0, "all have gone");
    assert_eq!(sum("fanfare_handshakes_refused_total").await, refused);
    is_counted(&nodes, &(clients + last.ledger.clone())).await;
    last.answers().await;
    leaving.await.unwrap();
}
