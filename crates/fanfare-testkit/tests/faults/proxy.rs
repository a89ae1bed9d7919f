//! The proxy of the testkit works as the fault tests need it.

use fanfare_testkit::{Direction, Proxy, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A connection through a proxy: the proxy, the listener, and both ends.
async fn connected() -> (Proxy, TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap().port()).await;
    let (client, server) = connect(&proxy, &listener).await;
    (proxy, listener, client, server)
}

async fn connect(proxy: &Proxy, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(proxy.url().strip_prefix("redis://").unwrap()).await.unwrap();
    let (server, _) = within("the proxy connects", listener.accept()).await.unwrap();
    (client, server)
}

async fn arrives(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    from.write_all(bytes).await.unwrap();
    let mut read = vec![0; bytes.len()];
    within("bytes arrive", to.read_exact(&mut read)).await.unwrap();
    assert_eq!(read, bytes);
}

/// The bytes until the connection ends.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = within("the connection ends", stream.read_to_end(&mut rest)).await;
    rest
}

#[tokio::test]
async fn one_direction_can_be_stalled() {
    let (proxy, _listener, mut client, mut server) = connected().await;
    arrives(&mut client, &mut server, b"ping").await;
    proxy.stall(Direction::ToClient);
    server.write_all(b"held").await.unwrap();
    arrives(&mut client, &mut server, b"goes on").await;
    proxy.resume(Direction::ToClient);
    let mut held = [0; 4];
    within("what was held comes", client.read_exact(&mut held)).await.unwrap();
    assert_eq!(&held, b"held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_bytes_of_a_cut_are_lost() {
    let (proxy, listener, mut client, mut server) = connected().await;
    for _ in 0..50 {
        proxy.stall(Direction::ToClient);
        server.write_all(b"lost").await.unwrap();
        proxy.cut();
        proxy.resume(Direction::ToClient);
        assert!(rest(&mut client).await.is_empty() && rest(&mut server).await.is_empty());
        (client, server) = connect(&proxy, &listener).await;
        arrives(&mut server, &mut client, b"a new connection works").await;
    }
}

#[tokio::test]
async fn both_ends_see_an_end() {
    let (proxy, listener, client, mut server) = connected().await;
    drop(client);
    assert!(rest(&mut server).await.is_empty());
    let (mut client, server) = connect(&proxy, &listener).await;
    drop(server);
    assert!(rest(&mut client).await.is_empty());
    let (mut client, mut server) = connect(&proxy, &listener).await;
    drop(proxy);
    assert!(rest(&mut client).await.is_empty() && rest(&mut server).await.is_empty());
}

#[tokio::test]
async fn subscribers_alone_can_be_stalled() {
    let (proxy, listener, mut subscriber, mut its_server) = connected().await;
    let (mut publisher, mut other_server) = connect(&proxy, &listener).await;
    arrives(&mut subscriber, &mut its_server, b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n").await;
    proxy.stall_subscribers(Direction::ToClient);
    its_server.write_all(b"held").await.unwrap();
    arrives(&mut other_server, &mut publisher, b"goes on").await;
    assert_eq!(subscriber.try_read(&mut [0; 4]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    proxy.resume(Direction::ToClient);
    let mut held = [0; 4];
    within("what was held comes", subscriber.read_exact(&mut held)).await.unwrap();
    assert_eq!(&held, b"held");
}

#[tokio::test]
async fn chopped_bytes_arrive_whole() {
    let (proxy, _listener, mut client, mut server) = connected().await;
    proxy.chop(Direction::ToServer, true);
    let sent: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    arrives(&mut client, &mut server, &sent).await;
    arrives(&mut server, &mut client, b"the other direction goes on").await;
}

#[tokio::test]
async fn new_connections_can_lead_elsewhere() {
    let (proxy, _listener, mut client, mut server) = connected().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    proxy.lead_to(elsewhere.local_addr().unwrap().port());
    let (mut new_client, mut new_server) = connect(&proxy, &elsewhere).await;
    arrives(&mut new_client, &mut new_server, b"new").await;
    arrives(&mut client, &mut server, b"old").await;
}
