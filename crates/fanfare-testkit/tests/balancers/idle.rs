//! Pings keep idle WebSockets open behind a balancer.

use fanfare_testkit::{Balancer, Endpoint, Nginx, Setup, within};

/// The balancer's timeouts are as short as possible. A client without pings shows that they work: the balancer closes it,
/// while the other client, as idle, stays.
async fn pings_keep_an_idle_socket(pinged: Endpoint, unpinged: Endpoint, node: &Endpoint) {
    let channel = format!("port-{}", pinged.address().port());
    let mut stays = pinged.connect(&format!("/ws/{channel}")).await;
    let stays = tokio::spawn(async move { stays.expect("still there?").await });
    for _ in 0..2 {
        let mut goes = unpinged.raw().await;
        assert_eq!(goes.upgrade("/chat", &[]).await.status, 101);
        goes.end().await;
    }
    node.publish(&channel, "still there?").await;
    within("the idle client hears it", stays).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_keep_an_idle_websocket_open() {
    let [pings, silence] =
        ["1s", "1h"].map(|every| format!("relay.ping_interval = \"{every}\"\nrelay.pong_timeout = \"1s\""));
    let pings = Setup::memory().toml(&pings).start().await;
    let silence = Setup::memory().toml(&silence).start().await;
    let words = [
        ("timeout client 30s", "timeout client 1s"),
        ("timeout server 30s", "timeout server 1s"),
        ("timeout tunnel 1h", "timeout tunnel 4s"),
    ];
    let haproxy =
        [Balancer::start_with(&[*pings], &words).await, Balancer::start_with(&[*silence], &words).await];
    let words = [("proxy_read_timeout 1h", "proxy_read_timeout 4s")];
    let nginx = [Nginx::start_with(&[*pings], &words).await, Nginx::start_with(&[*silence], &words).await];
    tokio::join!(
        pings_keep_an_idle_socket(haproxy[0].endpoint(), haproxy[1].endpoint(), &pings),
        pings_keep_an_idle_socket(nginx[0].endpoint(), nginx[1].endpoint(), &pings),
    );
}
