//! A client whose TLS records come in pieces: it is judged by its messages, like a client without TLS.

use std::time::Duration;

use fanfare_testkit::{RawClient, Setup};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split},
    net::TcpStream,
    time::sleep,
};
use tokio_rustls::TlsConnector;

use crate::{HOST, Secure};

const LIMITS: &str =
    "[limits]\nmessage_time = \"1s\"\n[relay]\nping_interval = \"1s\"\npong_timeout = \"1m\"\n";

/// A WebSocket inside TLS on this end; the test carries the bytes of the other end.
async fn client(secure: &Secure, plain: DuplexStream) -> RawClient {
    let connector = TlsConnector::from(secure.tls.clone());
    let mut client = RawClient::over(plain).secure(&connector, HOST).await;
    assert_eq!(client.upgrade("/ws/chat", &[]).await.status, 101);
    client
}

#[tokio::test]
async fn an_endless_record_ends_its_client() {
    let secure = Secure::start(Setup::memory().toml(LIMITS)).await;
    let mut tcp = TcpStream::connect(secure.node.address()).await.unwrap();
    let (near, mut far) = duplex(1 << 16);
    let carried = async {
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut far, &mut tcp) => panic!("it ended"),
            client = client(&secure, near) => client,
        }
    };
    let mut client = carried.await;
    // A record of 16 KiB that comes byte by byte.
    let (mut from_node, mut to_node) = tcp.split();
    to_node.write_all(b"\x17\x03\x03\x40\x00 begun").await.unwrap();
    let drip = async {
        while to_node.write_all(b"a").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let listen = async {
        tokio::io::copy(&mut from_node, &mut far).await.ok();
        std::future::pending::<()>().await;
    };
    let closed = async {
        loop {
            let frame = client.next_frame().await;
            if frame.bytes[0] == 0x88 {
                return frame.payload;
            }
        }
    };
    let close = tokio::select! {
        close = closed => close,
        () = async { tokio::join!(drip, listen); } => panic!("it goes on"),
    };
    assert_eq!(close[..2], 1008_u16.to_be_bytes());
    assert!(String::from_utf8_lossy(&close).contains("limits.message_time"), "{close:?}");
    let series =
        "fanfare_connections_closed_total{code=\"1008\",dialect=\"relay\",reason=\"message_too_slow\"}";
    assert_eq!(secure.metric(series).await, 1.0);
}

#[tokio::test]
async fn records_in_pieces_are_whole_in_time() {
    let secure = Secure::start(Setup::memory().toml(LIMITS)).await;
    let tcp = TcpStream::connect(secure.node.address()).await.unwrap();
    let (near, far) = duplex(1 << 16);
    let ((mut from_client, mut to_client), (mut from_node, mut to_node)) = (split(far), tcp.into_split());
    tokio::spawn(async move { tokio::io::copy(&mut from_node, &mut to_client).await });
    // Each record in two pieces.
    tokio::spawn(async move {
        let mut buffer = vec![0; 1 << 14];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            let (start, end) = buffer[..length].split_at(length / 2);
            for part in [start, end] {
                to_node.write_all(part).await.ok();
                sleep(Duration::from_millis(30)).await;
            }
        }
    });
    let mut client = client(&secure, near).await;
    for number in 0..40_u8 {
        client.send(&[&[0x82, 0x81, 0, 0, 0, 0][..], &[number]].concat()).await;
        let frame = client.next_frame_past_pings().await;
        assert_eq!((frame.bytes[0], &frame.payload[..]), (0x82, &[number][..]));
    }
}
