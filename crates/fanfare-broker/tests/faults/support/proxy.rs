//! A proxy between a node and its Redis that loses bytes on demand.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
};

/// The faults of connections. Their names contain `publisher` or `subscriber`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Conduct {
    /// Bytes from Redis to connections of this name are lost, while they stay open.
    pub(crate) mute: Option<&'static str>,
    /// The number of times that connections to Redis were ended and those of the node left open, and the last name.
    pub(crate) vanished: (usize, &'static str),
    /// The number of times that the connections of the node were ended and those to Redis left open.
    pub(crate) cuts: usize,
}

/// See the head of this file.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// The number of bytes that went to the server.
    pub(crate) forwarded: Arc<AtomicUsize>,
    /// The number of connections so far.
    pub(crate) accepted: Arc<AtomicUsize>,
    pub(crate) conduct: watch::Sender<Conduct>,
    /// The bytes that were lost.
    lost: Lost,
}

type Lost = Arc<Mutex<Vec<u8>>>;

impl Proxy {
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (conduct, conducts) = watch::channel(Conduct::default());
        let forwarded = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::new(AtomicUsize::new(0));
        let lost = Lost::default();
        let (count, connections, losing) = (forwarded.clone(), accepted.clone(), lost.clone());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                // A server that does not run refuses its clients.
                let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(relay(client, upstream, count.clone(), losing.clone(), conducts.clone()));
            }
        });
        Self { port, forwarded, accepted, conduct, lost }
    }

    /// Whether this text was lost.
    pub(crate) fn has_lost(&self, what: &str) -> bool {
        self.lost.lock().windows(what.len()).any(|bytes| bytes == what.as_bytes())
    }

    pub(crate) fn cut(&self) {
        self.conduct.send_modify(|conduct| conduct.cuts += 1);
    }

    pub(crate) fn mute(&self, name: Option<&'static str>) {
        self.conduct.send_modify(|conduct| conduct.mute = name);
    }

    /// Ends the connections of this name to Redis, and leaves those of the node open.
    pub(crate) fn vanish(&self, name: &'static str) {
        self.conduct.send_modify(|conduct| conduct.vanished = (conduct.vanished.0 + 1, name));
    }
}

async fn relay(
    mut client: TcpStream,
    mut server: TcpStream,
    forwarded: Arc<AtomicUsize>,
    lost: Lost,
    conduct: watch::Receiver<Conduct>,
) {
    let mut changes = conduct.clone();
    let before = *changes.borrow_and_update();
    let (name, named) = watch::channel(String::new());
    let vanished = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let is = |wanted: &str| named.borrow().contains(wanted);
        // Whether the connection vanishes; otherwise it is cut.
        let ended = async {
            while changes.changed().await.is_ok() {
                let now = *changes.borrow_and_update();
                if now.cuts != before.cuts {
                    return false;
                }
                if now.vanished.0 != before.vanished.0 && is(now.vanished.1) {
                    return true;
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            () = up(&mut from_client, &mut to_server, &forwarded, &name) => return,
            () = down(&mut from_server, &mut to_client, &lost, || conduct.borrow().mute.is_some_and(is)) => return,
            vanished = ended => vanished,
        }
    };
    if vanished {
        drop(server);
        // For as long as the node wants it.
        while matches!(client.read(&mut [0; 1024]).await, Ok(1..)) {}
    } else {
        drop(client);
        // For as long as the test runs.
        std::future::pending::<()>().await;
    }
}

async fn up(
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    forwarded: &AtomicUsize,
    name: &watch::Sender<String>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if name.borrow().is_empty() {
            // HELLO, which says the name.
            name.send_replace(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
        forwarded.fetch_add(length, Ordering::SeqCst);
    }
}

async fn down(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, lost: &Lost, is_muted: impl Fn() -> bool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if is_muted() {
            lost.lock().extend_from_slice(&buffer[..length]);
        } else if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
