//! Traffic and connections are counted exactly.

use fanfare_core::Disconnect;
use fanfare_hub::Traffic;

use crate::support::{AT_ONCE, Framing, Pipe, Setup, ends, settle};

fn all<'a>(pipes: impl IntoIterator<Item = &'a Pipe>) -> Traffic {
    let mut all = Traffic::default();
    pipes.into_iter().for_each(|pipe| all += pipe.traffic());
    all
}

const CLOSED: &str = "fanfare_connections_closed_total";

#[tokio::test(start_paused = true)]
async fn sent_traffic_is_counted_exactly() {
    let (node, recorder) = Setup { shards: 3, ..Setup::default() }.recorded();
    let mut clients = Vec::new();
    for number in 0..9 {
        let client = node.client_on(Pipe::bounded(Framing::Newline, 20 + 10 * number));
        client.join(&["a"]).await;
        if number % 2 == 0 {
            client.join(&["b"]).await;
        }
        clients.push(client);
    }
    let mut pipes: Vec<Pipe> = clients.iter().map(|client| client.pipe.clone()).collect();
    for number in 0..20 {
        recorder.deliver("a", number.to_string());
        recorder.deliver("b", number.to_string());
        recorder.deliver("b", "x".repeat(number));
        if number % 3 == 0 {
            settle().await;
        }
        clients[number % 9].say("sub c").await;
        node.hub.writer.pong(&clients[number % 9].session, &[bytes::Bytes::from_static(b"x")]);
        clients[number % 9].pipe.read(usize::MAX);
    }
    assert_eq!(node.hub.metrics().sent.get().bytes, all(&pipes).bytes, "while some of it waits");
    for client in clients.iter_mut().take(3) {
        let next = Pipe::open(Framing::Prefixed);
        pipes.push(next.clone());
        client.pipe.widen();
        client.change_to(next).await;
    }
    pipes.iter().for_each(Pipe::widen);
    clients[5].end(&Disconnect::ByClient(Some(1000)));
    settle().await;
    clients[4].session.abort();
    ends(node.hub.drain.send_all_away(AT_ONCE, &Disconnect::Restart)).await;
    assert_eq!(node.hub.metrics().sent.get(), all(&pipes));
    let mut sessions = Traffic::default();
    clients.iter().for_each(|client| sessions += client.session.sent());
    assert_eq!(sessions, all(&pipes), "each session's own");
}

#[tokio::test(start_paused = true)]
async fn received_traffic_is_counted_exactly() {
    let node = Setup::default().memory();
    let clients = [node.client(), node.client()];
    clients[0].tell(&["pong", "pong"]);
    clients[0].inbound.lock().came(10);
    clients[1].tell(&["hello"]);
    clients[1].inbound.lock().came(7);
    assert_eq!(clients[0].session.received(), Traffic { messages: 2, bytes: 10 });
    assert_eq!(clients[1].session.received(), Traffic { messages: 1, bytes: 7 });
    assert_eq!(node.hub.metrics().received.get(), Traffic { messages: 3, bytes: 17 });
}

#[tokio::test(start_paused = true)]
async fn a_client_not_admitted_is_not_counted() {
    let node = Setup::default().memory();
    let turned_away = node.hub.sessions.open(&node.kind, fanfare_hub::Peer::default());
    node.hub.goodbyes.end(&turned_away, &Disconnect::Lost);
    assert!(!node.hub.sessions.admit(&turned_away), "it is over");
    let let_in = node.hub.sessions.open(&node.kind, fanfare_hub::Peer::default());
    assert_eq!(node.hub.metrics().connections.count(), 0);
    assert!(node.hub.sessions.admit(&let_in));
    assert_eq!(node.hub.metrics().connections.count(), 1);
    node.hub.goodbyes.end(&let_in, &Disconnect::Lost);
    node.hub.goodbyes.end(&let_in, &Disconnect::Slow);
    assert_eq!(node.hub.metrics().connections.count(), 0);
    assert_eq!((node.count("fanfare_connections_opened_total", &[]), node.count(CLOSED, &[])), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_client_makes_no_series() {
    let node = Setup::default().memory();
    let expected = node.series(CLOSED);
    let ends = [
        (Disconnect::ByClient(None), "none", "client"),
        (Disconnect::ByClient(Some(1000)), "1000", "client"),
        (Disconnect::ByClient(Some(1014)), "1014", "client"),
        (Disconnect::ByClient(Some(3000)), "3xxx", "client"),
        (Disconnect::ByClient(Some(4999)), "4xxx", "client"),
        (Disconnect::Lost, "none", "lost"),
        (Disconnect::NoPong, "none", "no_pong"),
        (Disconnect::Restart, "76", "restart"),
        (Disconnect::Protocol { code: 1007, reason: "no text".into() }, "1007", "protocol"),
    ];
    for (disconnect, code, reason) in ends {
        node.client().end(&disconnect);
        let labels = [("dialect", "lines"), ("code", code), ("reason", reason)];
        assert_eq!(node.count(CLOSED, &labels), 1, "{disconnect:?}");
    }
    for disconnect in Disconnect::one_of_each() {
        node.client().end(&disconnect);
    }
    for code in (1000..=1003).chain(1007..=1014).chain(3000..3050).chain(4000..4050) {
        node.client().end(&Disconnect::ByClient(Some(code)));
    }
    assert_eq!(node.series(CLOSED), expected, "all were there from the start");
}
