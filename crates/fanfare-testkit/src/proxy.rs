//! A TCP proxy that cuts, stalls, delays and chops, each direction on its own. It stands between a node and its Redis,
//! and can lead new connections to another Redis.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The reads that may wait in the proxy.
const QUEUE: usize = 1024;

/// The command that turns a connection into a subscriber.
const SUBSCRIBE: &[u8] = b"\r\nSUBSCRIBE\r\n";

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Commands.
    ToServer,
    /// Answers and published messages.
    ToClient,
}

/// The faults of a direction.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    stalled: bool,
    /// Only connections that subscribe are stalled.
    subscribers_only: bool,
    delay: Duration,
    /// Each byte is a write of its own.
    chopped: bool,
}

impl Faults {
    fn holds(&self, subscribes: &AtomicBool) -> bool {
        self.stalled && (!self.subscribers_only || subscribes.load(Ordering::Relaxed))
    }
}

/// The proxy. Its connections end with it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Shared {
    /// The port of 127.0.0.1 that new connections lead to.
    port: AtomicU16,
    to_server: watch::Sender<Faults>,
    to_client: watch::Sender<Faults>,
    /// Ends the existing connections.
    cut: Mutex<CancellationToken>,
}

impl Proxy {
    /// Starts a proxy for the server at this port of 127.0.0.1.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start(port: u16) -> Self {
        let bound = async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            Ok::<_, io::Error>((listener.local_addr()?, listener))
        };
        let (address, listener) = match bound.await {
            Ok(bound) => bound,
            Err(error) => panic!("the proxy has no port to listen on: {error}"),
        };
        let shared = Arc::new(Shared {
            port: AtomicU16::new(port),
            to_server: watch::Sender::default(),
            to_client: watch::Sender::default(),
            cut: Mutex::default(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, shared.clone(), stop.clone())));
        Self { address, shared, _stop: stop.drop_guard() }
    }

    /// `redis://` and the proxy's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Holds back bytes in this direction, until [`Proxy::resume`]. Connections stay, and new ones are accepted.
    pub fn stall(&self, direction: Direction) {
        self.faults(direction).send_modify(|faults| faults.stalled = true);
    }

    /// As [`stall`](Self::stall), for connections with a subscription in Redis (`SUBSCRIBE` as a command of RESP) only.
    pub fn stall_subscribers(&self, direction: Direction) {
        self.faults(direction).send_modify(|faults| {
            (faults.stalled, faults.subscribers_only) = (true, true);
        });
    }

    /// Lets stalled bytes go on.
    pub fn resume(&self, direction: Direction) {
        self.faults(direction).send_modify(|faults| {
            (faults.stalled, faults.subscribers_only) = (false, false);
        });
    }

    /// Delays bytes in this direction from now on.
    pub fn delay(&self, direction: Direction, delay: Duration) {
        self.faults(direction).send_modify(|faults| faults.delay = delay);
    }

    /// Passes bytes in this direction on one at a time, each in a packet of its own, or stops that.
    pub fn chop(&self, direction: Direction, chopped: bool) {
        self.faults(direction).send_modify(|faults| faults.chopped = chopped);
    }

    /// Leads new connections to this port of 127.0.0.1. Existing connections stay.
    pub fn lead_to(&self, port: u16) {
        self.shared.port.store(port, Ordering::Relaxed);
    }

    /// Ends all connections, and drops the bytes in the proxy. New connections are accepted.
    pub fn cut(&self) {
        std::mem::take(&mut *self.shared.cut.lock()).cancel();
    }

    fn faults(&self, direction: Direction) -> &watch::Sender<Faults> {
        match direction {
            Direction::ToServer => &self.shared.to_server,
            Direction::ToClient => &self.shared.to_client,
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    // A client that connects finds out that the listener cannot accept.
    while let Ok((client, _)) = listener.accept().await {
        let cut = shared.cut.lock().clone();
        let (to_server, to_client) = (shared.to_server.subscribe(), shared.to_client.subscribe());
        let port = shared.port.load(Ordering::Relaxed);
        let relayed = async move {
            // Without a server the connection just ends.
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let (from_client, into_client) = client.into_split();
            let (from_server, into_server) = server.into_split();
            let subscribes = AtomicBool::new(false);
            let sees = |commands: &[u8]| {
                if commands.windows(SUBSCRIBE.len()).any(|part| part == SUBSCRIBE) {
                    subscribes.store(true, Ordering::Relaxed);
                }
            };
            tokio::select! {
                () = cut.cancelled() => {}
                () = relay(from_client, into_server, to_server, &cut, &subscribes, sees) => {}
                () = relay(from_server, into_client, to_client, &cut, &subscribes, |_| ()) => {}
            }
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(relayed));
    }
}

/// One direction of a connection. Ends when either side ends.
async fn relay(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut faults: watch::Receiver<Faults>,
    cut: &CancellationToken,
    subscribes: &AtomicBool,
    sees: impl Fn(&[u8]),
) {
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(QUEUE);
    let delays = faults.clone();
    let read = async move {
        loop {
            let mut bytes = Vec::with_capacity(16 << 10);
            if !matches!(from.read_buf(&mut bytes).await, Ok(1..)) {
                return;
            }
            sees(&bytes);
            let due = Instant::now() + delays.borrow().delay;
            if queue.send((due, bytes)).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = queued.recv().await {
            sleep_until(due).await;
            let resumed = faults.wait_for(|faults| !faults.holds(subscribes)).await.map(|now| now.chopped);
            // Bytes that were stalled before a cut must not get through.
            let Ok(chopped) = resumed else { return };
            let piece = if chopped { 1 } else { bytes.len() };
            for piece in bytes.chunks(piece) {
                if cut.is_cancelled() || to.write_all(piece).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! { () = read => {}, () = write => {} }
}
