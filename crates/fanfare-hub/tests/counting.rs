//! The counts of deliveries are exact.

use fanfare_core::Disconnect;

use crate::support::{Client, Framing, Pipe, Setup, settle};

#[tokio::test(start_paused = true)]
async fn deliveries_and_writes_are_counted_exactly() {
    let (node, recorder) = Setup { shards: 2, ..Setup::default() }.recorded();
    let fan_out = &node.hub.metrics().fan_out;
    let mut clients = Vec::new();
    for number in 0..10 {
        let channels: &[&str] = if number < 3 { &["a", "b"] } else { &["a"] };
        clients.push(node.client_in(channels).await);
    }
    let behind = node.client_on(Pipe::bounded(Framing::Newline, 10));
    behind.join(&["b"]).await;
    clients.push(behind);

    for number in 0..20 {
        recorder.deliver("a", number.to_string());
        recorder.deliver("b", number.to_string());
        recorder.deliver("nobody", number.to_string());
    }
    settle().await;
    assert_eq!((fan_out.size.get_sample_count(), fan_out.size.get_sample_sum()), (40, 20.0 * (10.0 + 4.0)));
    assert_eq!((node.hub.metrics().deliveries.get(), node.hub.metrics().unheard.get()), (280, 20));
    // The client that is behind takes its publications in several writes.
    let writes = |clients: &[Client]| clients.iter().map(|client| client.pipe.writes() as u64).sum::<u64>();
    assert_eq!((writes(&clients), fan_out.writes.get()), (11, 11), "one write each, however much it carries");
    clients[10].pipe.take_per_write(30);
    clients[10].pipe.widen();
    settle().await;
    assert_eq!(clients[10].lines().len(), 20);
    assert_eq!(writes(&clients), fan_out.writes.get(), "and the writes of waiting bytes");
}

#[tokio::test(start_paused = true)]
async fn channels_and_subscriptions_are_counted_exactly() {
    let node = Setup { shards: 2, ..Setup::default() }.memory();
    let fan_out = &node.hub.metrics().fan_out;
    let there_are = || (fan_out.channels.get(), fan_out.subscriptions.get());
    assert_eq!(there_are(), (0, 0));
    let one = node.client_in(&["a", "b"]).await;
    let other = node.client_in(&["b", "c"]).await;
    assert_eq!(there_are(), (3, 4));
    one.leave("a");
    one.leave("a");
    other.leave("b");
    assert_eq!(there_are(), (2, 2));
    one.end(&Disconnect::Lost);
    one.end(&Disconnect::Lost);
    assert_eq!(there_are(), (1, 1));
    other.end(&Disconnect::Restart);
    assert_eq!(there_are(), (0, 0));
}
