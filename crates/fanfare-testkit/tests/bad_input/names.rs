//! Channel names that look like other names: each is a channel of its own, and none reaches the server's own names.

use fanfare_testkit::{
    Client, TestCluster,
    metrics::{hit, refused},
};

use crate::support::{Bystanders, Scene};

/// The path and the name of each channel. All names differ.
const NAMES: &[(&str, &str)] = &[
    // Names of the server's own in Redis.
    ("fanfare!nodes", "fanfare!nodes"),
    ("!nodes", "!nodes"),
    ("!control", "!control"),
    ("fanfare!control", "fanfare!control"),
    ("fanfare:chat:1", "fanfare:chat:1"),
    ("fanfare:fanfare:chat:1", "fanfare:fanfare:chat:1"),
    ("*", "*"),
    ("%5Bc%5Dhat:1", "[c]hat:1"),
    ("__keyspace@0__:chat:1", "__keyspace@0__:chat:1"),
    // Escapes, separators, namespaces.
    ("chat:1", "chat:1"),
    ("chat%253A1", "chat%3A1"),
    ("chat:", "chat:"),
    (":chat", ":chat"),
    ("chat", "chat"),
    ("chat/", "chat/"),
    ("chat//", "chat//"),
    ("chat/../chat", "chat/../chat"),
    ("%2Fchat", "/chat"),
    ("chat%3F1", "chat?1"),
    ("chat%261", "chat&1"),
    ("chat+1", "chat+1"),
    ("chat,1", "chat,1"),
    ("%7B%22channel%22:1%7D", "{\"channel\":1}"),
    // Look-alikes: Cyrillic, full width, composed and decomposed, joined and separate, upper case.
    ("Chat", "Chat"),
    ("%D1%81hat", "\u{441}hat"),
    ("%EF%BD%83hat", "\u{ff43}hat"),
    ("caf%C3%A9", "caf\u{e9}"),
    ("cafe%CC%81", "cafe\u{301}"),
    ("%F0%9F%91%A9%E2%80%8D%F0%9F%9A%80", "\u{1f469}\u{200d}\u{1f680}"),
    ("%F0%9F%91%A9%F0%9F%9A%80", "\u{1f469}\u{1f680}"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_name_is_its_own_channel() {
    let cluster = TestCluster::start(2).await;
    let bystanders = Bystanders::meet(*cluster.nodes[0]).await;
    let mut clients: Vec<(&str, Client)> = Vec::new();
    for (place, (path, name)) in NAMES.iter().enumerate() {
        clients.push((name, cluster.nodes[place % 2].connect(&format!("/ws/{path}")).await));
    }
    for (place, (_, name)) in NAMES.iter().enumerate() {
        cluster.nodes[(place + 1) % 2].publish(name, *name).await;
    }
    for (name, client) in &mut clients {
        client.text("own").await;
        client.expect(name).await;
        client.expect("own").await;
    }
    // Redis' own messages: the server's channels have other names than all of these.
    for (_, name) in NAMES {
        cluster.plain_publish(name, b"from Redis").await;
    }
    for (_, client) in &mut clients {
        client.expect("from Redis").await;
    }
    let here = NAMES.len().div_ceil(2) as u64 + 2;
    let there = NAMES.len() as u64 / 2;
    for node in &cluster.nodes {
        node.sees(&[("node-1", here), ("node-2", there)]).await;
    }
    bystanders.notice_nothing().await;
}

#[tokio::test]
async fn escapes_do_not_change_a_name() {
    let scene = Scene::with("").await;
    let mut clients = Vec::new();
    for path in ["/chat:1", "/ws/chat:1", "/ws/chat%3A1", "/ws/chat%3a1", "/ws/%63%68%61%74:1?x=1"] {
        clients.push(scene.connect(path).await);
    }
    scene.publish("chat:1", "to all").await;
    for client in &mut clients {
        client.expect("to all").await;
    }
    scene.costs_the_offender_only(&[]).await;
}

#[tokio::test]
async fn invisible_and_long_names_are_refused() {
    let scene = Scene::with("").await;
    let long = "x".repeat(256);
    let refusals = [
        ("a%20b", "visible characters only"),
        ("a%00b", "visible characters only"),
        ("a%0D%0ASet-Cookie:x", "visible characters only"),
        ("a%C2%A0b", "visible characters only"),
        ("a%C2%85b", "visible characters only"),
        // Zero width space, right-to-left override, byte order mark, a tag.
        ("a%E2%80%8Bb", "visible characters only"),
        ("a%E2%80%AEb", "visible characters only"),
        ("%EF%BB%BFa", "visible characters only"),
        ("a%F3%A0%81%81", "visible characters only"),
        ("%FF", "must be UTF-8"),
        ("%C0%AF", "must be UTF-8"),
        ("%ED%A0%80", "must be UTF-8"),
        (&long, "at most 255 bytes"),
    ];
    for (name, words) in refusals {
        let answer = scene.upgrade(&format!("/ws/{name}"), &[]).await;
        answer.is(400, words);
        assert!(!answer.text().contains(['\r', '\u{202e}']), "the answer repeats a name unescaped");
    }
    let counters = [(&*refused("channel_name"), refusals.len() as u64), (&*hit("channel_name"), 1)];
    scene.costs_the_offender_only(&counters).await;
}
