//! A proxy that cuts the publisher's connection at a byte.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Where the bytes go that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Redis,
    Node,
}

/// The next cut: the direction, and the number of bytes until then.
type Next = Arc<Mutex<Option<(To, usize)>>>;

/// See the head of this file.
pub(crate) struct Cutter {
    pub(crate) port: u16,
    next: Next,
}

impl Cutter {
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Next::default();
        let cut = next.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                tokio::spawn(relay(client, server, cut.clone()));
            }
        });
        Self { port, next }
    }

    /// Cuts after that many further bytes. The bytes before them arrive.
    pub(crate) fn cut_after(&self, to: To, bytes: usize) {
        *self.next.lock() = Some((to, bytes));
    }

    /// Cuts no more. Whether it did not cut yet.
    pub(crate) fn disarm(&self) -> bool {
        self.next.lock().take().is_some()
    }
}

async fn relay(client: TcpStream, server: TcpStream, next: Next) {
    let ((mut from_client, to_client), (from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let mut hello = vec![0; 4096];
    let Ok(length) = from_client.read(&mut hello).await else { return };
    let is_publisher = String::from_utf8_lossy(&hello[..length]).contains("publisher");
    if to_server.write_all(&hello[..length]).await.is_err() {
        return;
    }
    let next = if is_publisher { next } else { Next::default() };
    tokio::select! {
        () = pass(from_client, to_server, To::Redis, &next) => {}
        () = pass(from_server, to_client, To::Node, &next) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, direction: To, next: &Next) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let (length, is_cut) = allowed(length, direction, next);
        if to.write_all(&buffer[..length]).await.is_err() || is_cut {
            return;
        }
    }
}

/// How many of these bytes may pass, and whether the connection is cut behind them.
fn allowed(length: usize, direction: To, next: &Next) -> (usize, bool) {
    let mut next = next.lock();
    match &mut *next {
        Some((to, left)) if *to == direction => {
            if length <= *left {
                *left -= length;
                return (length, false);
            }
            let left = *left;
            *next = None;
            (left, true)
        }
        _ => (length, false),
    }
}
