//! The client's address comes from trusted proxies only. The limit per address shows it.

use std::net::IpAddr;

use fanfare_testkit::{
    Answer, Balancer, Endpoint, Metrics, Nginx, RawClient, Setup, TestNode, assert_eventually,
    metrics::{hit, http_error},
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A node that lets each address in once, and trusts these proxies.
fn setup(protocol: &str, trusted: &str) -> Setup {
    let toml = format!(
        "limits.connections_per_address = 1\nlimits.handshake = \"500ms\"\n\
         proxies.protocol = \"{protocol}\"\nproxies.trusted = [\"{trusted}\"]"
    );
    Setup::memory().toml(&toml)
}

/// A node behind proxies only: the check for readiness is a proxy too.
async fn proxy_node() -> TestNode {
    let node = setup("proxy", "127.0.0.1").start_unready();
    assert_eventually!(request(&node, "/readyz").await.status == 200, "the node is ready");
    node
}

/// The answer to a request of the proxy itself.
async fn request(node: &Endpoint, path: &str) -> Answer {
    let mut client = node.raw().await;
    client.send(b"PROXY UNKNOWN\r\n").await;
    client.request("GET", path, &[], &[]).await
}

/// Connects with this header before HTTP. Returns the status of the upgrade.
async fn proxied(node: &Endpoint, header: &[u8]) -> (RawClient, u16) {
    let mut client = node.raw().await;
    client.send(header).await;
    let status = client.upgrade("/chat", &[]).await.status;
    (client, status)
}

fn version_2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, addresses].concat()
}

fn version_2_of(source: IpAddr) -> Vec<u8> {
    let ports = [0x10, 0, 0x20, 0];
    match source {
        IpAddr::V4(source) => version_2(0x21, 0x11, &[&source.octets()[..], &[10, 0, 0, 1], &ports].concat()),
        IpAddr::V6(source) => version_2(0x21, 0x21, &[&source.octets()[..], &[0; 16], &ports].concat()),
    }
}

/// The sum of these series.
async fn counted(node: &Endpoint, series: &str) -> f64 {
    Metrics::new(request(node, "/metrics").await.text()).sum(series)
}

#[tokio::test]
async fn both_proxy_protocols_name_the_client() {
    let node = proxy_node().await;
    let (_first, status) = proxied(&node, b"PROXY TCP4 192.0.2.1 10.0.0.1 1000 80\r\n").await;
    assert_eq!(status, 101);
    let same = version_2_of("192.0.2.1".parse().unwrap());
    assert_eq!(proxied(&node, &same).await.1, 429);
    let (_second, status) = proxied(&node, &version_2_of("192.0.2.2".parse().unwrap())).await;
    assert_eq!(status, 101);
    assert_eq!(proxied(&node, b"PROXY TCP4 192.0.2.2 10.0.0.1 1000 80\r\n").await.1, 429);
    // An IPv6 address is counted with its /64.
    let (_third, status) = proxied(&node, &version_2_of("2001:db8::1".parse().unwrap())).await;
    assert_eq!(status, 101);
    assert_eq!(proxied(&node, b"PROXY TCP6 2001:db8::2 2001:db8::ffff 1000 80\r\n").await.1, 429);
    // The same IPv4 address, written as an IPv6 one.
    assert_eq!(proxied(&node, &version_2_of("::ffff:192.0.2.1".parse().unwrap())).await.1, 429);
}

#[tokio::test]
async fn a_proxys_own_connection_is_its_own() {
    let node = proxy_node().await;
    let (_held, status) = proxied(&node, &version_2(0x20, 0, &[])).await;
    assert_eq!(status, 101);
    assert_eq!(proxied(&node, b"PROXY UNKNOWN\r\n").await.1, 429);
    assert_eq!(proxied(&node, &version_2_of("192.0.2.1".parse().unwrap())).await.1, 101);
}

#[tokio::test]
async fn a_proxy_header_may_come_in_pieces() {
    let node = proxy_node().await;
    let mut addresses = vec![192, 0, 2, 9, 10, 0, 0, 1, 0x10, 0, 0x20, 0];
    addresses.extend([0x05, 0, 3, b'i', b'd', b'7']);
    let mut client = node.raw().await;
    for piece in version_2(0x21, 0x11, &addresses).chunks(5) {
        client.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.upgrade("/chat", &[]).await.status, 101);
    assert_eq!(proxied(&node, &version_2_of("192.0.2.9".parse().unwrap())).await.1, 429);
}

#[tokio::test]
async fn a_wrong_proxy_header_is_refused() {
    let node = proxy_node().await;
    let huge = version_2(0x21, 0x11, &vec![0; 20_000]);
    let table: [&[u8]; 5] = [
        b"GET /chat HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PROXY TCP4 nobody 10.0.0.1 1000 80\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1000 80 and no end of it, however long one reads, and reads, and reads, and reads",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
        &huge,
    ];
    for bytes in table {
        let mut client = node.raw().await;
        client.send(bytes).await;
        assert!(client.end().await.is_empty());
    }
    assert_eq!(counted(&node, &http_error("proxy_header")).await, 5.0);
    // A header that never comes.
    for part in [&b""[..], b"PROXY TCP4 192.0.2.1", SIGNATURE] {
        let mut client = node.raw().await;
        client.send(part).await;
        assert!(client.end().await.is_empty());
    }
    assert_eq!(counted(&node, &hit("handshake")).await, 3.0);
}

#[tokio::test]
async fn an_untrusted_peer_is_not_believed() {
    let proxy = setup("proxy", "10.0.0.0/8").start().await;
    let (_client, status) = proxied(&proxy, b"PROXY TCP4 192.0.2.1 10.0.0.1 1000 80\r\n").await;
    assert_eq!(status, 400);
    let forwarded = setup("x-forwarded-for", "10.0.0.0/8").start().await;
    let mut first = forwarded.raw().await;
    assert_eq!(first.upgrade("/chat", &[("X-Forwarded-For", "192.0.2.1")]).await.status, 101);
    let second = forwarded.upgrade("/chat", &[("X-Forwarded-For", "192.0.2.2")]).await;
    second.is(429, "limits.connections_per_address");
}

#[tokio::test]
async fn the_right_most_untrusted_address_counts() {
    let node = setup("x-forwarded-for", "127.0.0.0/8").start().await;
    let mut first = node.raw().await;
    let status = first.upgrade("/chat", &[("X-Forwarded-For", "192.0.2.1")]).await.status;
    assert_eq!(status, 101);
    let spoofed = "192.0.2.77, 192.0.2.1, 127.0.0.5";
    assert_eq!(node.upgrade("/chat", &[("X-Forwarded-For", spoofed)]).await.status, 429);
    assert_eq!(node.upgrade("/chat", &[("X-Forwarded-For", "192.0.2.2")]).await.status, 101);
}

/// Checks that each address comes in once, in spite of the client's own headers.
async fn limits_the_right_client(front: Endpoint) {
    for source in ["127.0.0.11", "127.0.0.12"] {
        let mut held = Vec::new();
        for expected in [101, 429] {
            let mut client = RawClient::connect_from(source.parse().unwrap(), front.address()).await;
            let forged = format!("192.0.2.{expected}, 127.0.0.1");
            let claims = [("X-Forwarded-For", &*forged), ("Forwarded", "for=192.0.2.60")];
            assert_eq!(client.upgrade("/chat", &claims).await.status, expected, "{source}");
            held.push(client);
        }
        drop(held);
    }
}

#[tokio::test]
async fn shipped_balancers_pass_the_client_address() {
    let node = setup("x-forwarded-for", "127.0.0.1").start().await;
    limits_the_right_client(Balancer::start(&[*node]).await.endpoint()).await;
    let node = setup("x-forwarded-for", "127.0.0.1").start().await;
    limits_the_right_client(Nginx::start(&[*node]).await.endpoint()).await;
    let node = proxy_node().await;
    // The change that the configuration's comment names.
    let words = [("default-server check", "default-server send-proxy-v2 check")];
    limits_the_right_client(Balancer::start_with(&[*node], &words).await.endpoint()).await;
}
