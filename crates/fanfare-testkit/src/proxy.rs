//! A TCP proxy that cuts, stalls, delays and chops, each direction by itself. It stands between a node and its Redis,
//! and can be made to lead to another.

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

/// How much may be under way in the proxy, in reads.
const UNDER_WAY: usize = 1024;

/// How the command begins that makes a subscriber of a connection.
const SUBSCRIBE: &[u8] = b"\r\nSUBSCRIBE\r\n";

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Commands.
    ToServer,
    /// Answers, and what is published.
    ToClient,
}

/// What is done to one direction.
#[derive(Debug, Clone, Copy, Default)]
struct Conduct {
    stalled: bool,
    /// Only connections that subscribe are stalled.
    subscribers_only: bool,
    delay: Duration,
    /// Each byte is a write of its own.
    chopped: bool,
}

impl Conduct {
    fn holds(&self, subscribes: &AtomicBool) -> bool {
        self.stalled && (!self.subscribers_only || subscribes.load(Ordering::Relaxed))
    }
}

/// The proxy; its connections end with it.
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
    to_server: watch::Sender<Conduct>,
    to_client: watch::Sender<Conduct>,
    /// Ends the connections that there are.
    cut: Mutex<CancellationToken>,
}

impl Proxy {
    /// Starts one before the server at this port of 127.0.0.1.
    ///
    /// # Panics
    /// Where there is no free port.
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

    /// `redis://` and its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Holds back what comes that way, until [`Proxy::resume`]. Connections stay, and new ones come.
    pub fn stall(&self, direction: Direction) {
        self.conduct(direction).send_modify(|conduct| conduct.stalled = true);
    }

    /// The same for connections that subscribed in Redis (`SUBSCRIBE` as a command of RESP); the others go on.
    pub fn stall_subscribers(&self, direction: Direction) {
        self.conduct(direction).send_modify(|conduct| {
            (conduct.stalled, conduct.subscribers_only) = (true, true);
        });
    }

    /// Lets go on what was stalled.
    pub fn resume(&self, direction: Direction) {
        self.conduct(direction).send_modify(|conduct| {
            (conduct.stalled, conduct.subscribers_only) = (false, false);
        });
    }

    /// Delays what comes that way from now on.
    pub fn delay(&self, direction: Direction, delay: Duration) {
        self.conduct(direction).send_modify(|conduct| conduct.delay = delay);
    }

    /// Whether what comes that way goes on a byte at a time, each in a packet of its own.
    pub fn chop(&self, direction: Direction, chopped: bool) {
        self.conduct(direction).send_modify(|conduct| conduct.chopped = chopped);
    }

    /// From now on leads new connections to this port of 127.0.0.1; those that there are stay where they are.
    pub fn lead_to(&self, port: u16) {
        self.shared.port.store(port, Ordering::Relaxed);
    }

    /// Ends all connections; what was under way in the proxy is lost. New ones are let in.
    pub fn cut(&self) {
        std::mem::take(&mut *self.shared.cut.lock()).cancel();
    }

    fn conduct(&self, direction: Direction) -> &watch::Sender<Conduct> {
        match direction {
            Direction::ToServer => &self.shared.to_server,
            Direction::ToClient => &self.shared.to_client,
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    // A listener that cannot accept is seen by who connects.
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

/// One direction of one connection; ends when either side does.
async fn relay(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut conduct: watch::Receiver<Conduct>,
    cut: &CancellationToken,
    subscribes: &AtomicBool,
    sees: impl Fn(&[u8]),
) {
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let delays = conduct.clone();
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
            let resumed = conduct.wait_for(|conduct| !conduct.holds(subscribes)).await.map(|now| now.chopped);
            // What is let go on after a cut must not get through.
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
