//! One connection from its first byte on: its client, TLS, and then its requests.

use std::{io::ErrorKind, mem::MaybeUninit, net::IpAddr, pin::Pin, sync::Arc};

use rustls::ServerConfig;
use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream, time::timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    answering::Routes,
    deadlines::{Deadlines, LAST_CHANCE, Times, after},
    requests::Requests,
    stream::Stream,
    timed_socket::{TimedSocket, last_answer},
};
use crate::{
    gateway::Gateway,
    listener::{
        accepted_socket::{AcceptedSocket, ProxyHeaderError},
        client_address::Client,
        descriptors::Evictable,
    },
    metrics::{HttpError, TlsOutcome},
    tls::handshake::{self, HandshakeError},
};

const NOT_TLS: &str = "this port speaks TLS: connect with https:// or wss://";

/// Serves requests until the connection ends or becomes a WebSocket.
type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves one connection of `peer` until it ends, becomes a WebSocket, or is evicted.
///
/// Not an `async fn`, which would keep its arguments: connections whose answers go on are counted in bytes.
pub(crate) fn serve(
    gateway: Arc<Gateway>,
    socket: AcceptedSocket,
    tls: Option<Arc<ServerConfig>>,
    peer: IpAddr,
    routes: Routes,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> + Send {
    let evictable = Arc::new(Evictable::new(&gateway.descriptors));
    // Boxed: its memory is gone once requests are served.
    let receiving = Box::pin(receive(gateway, socket, tls, peer, evictable.clone(), routes, shutdown));
    let serving = async {
        let Some(serving) = receiving.await else { return };
        serving.await;
    };
    async move {
        tokio::select! {
            // A request that came in the same moment is read first: a client that asks is not evicted.
            biased;
            () = serving => {}
            () = evictable.evicted() => tracing::debug!(%peer, "evicted: descriptors are short"),
        }
    }
}

/// Finds the client of the connection.
async fn receive(
    gateway: Arc<Gateway>,
    socket: AcceptedSocket,
    tls: Option<Arc<ServerConfig>>,
    peer: IpAddr,
    evictable: Arc<Evictable>,
    routes: Routes,
    shutdown: CancellationToken,
) -> Option<Serving> {
    let header = gateway.hub.settings.limits().handshake;
    // One deadline for all that comes before HTTP.
    let deadline = tokio::time::Instant::now() + header;
    if !speaks(&gateway, socket.stream(), deadline, &shutdown).await {
        return None;
    }
    let keep_alive = gateway.config().admission.keep_alive;
    let deadlines = || Arc::new(Deadlines::new(Times { header, keep_alive }, shutdown.clone()));
    let (client, stream) = tokio::select! {
        opened = open(&gateway, socket, tls, peer.to_canonical(), deadline, deadlines) => opened,
        () = after(&shutdown, LAST_CHANCE) => None,
    }?;
    let deadlines = deadlines();
    let requests = Requests::new(gateway, client, routes, evictable, deadlines, keep_alive);
    Some(Box::pin(requests.serve(stream, shutdown)))
}

/// Reads what comes before HTTP: the PROXY header of a trusted proxy, and the TLS handshake.
async fn open(
    gateway: &Gateway,
    mut socket: AcceptedSocket,
    tls: Option<Arc<ServerConfig>>,
    peer: IpAddr,
    deadline: tokio::time::Instant,
    deadlines: impl FnOnce() -> Arc<Deadlines>,
) -> Option<(Client, Stream)> {
    let mut client = Client(peer);
    if gateway.config().proxies.sends_proxy_header(peer) {
        match timeout_at(deadline, socket.read_proxy_header()).await {
            Ok(Ok(address)) => client = Client(address.unwrap_or(peer)),
            Ok(Err(error)) => {
                without_proxy_header(gateway, peer, &error);
                return None;
            }
            Err(_) => {
                gateway.metrics.http_error(HttpError::Timeout);
                return None;
            }
        }
    }
    let stream = match tls {
        None => Stream::Left(socket),
        Some(config) => Box::pin(secure(gateway, socket, config, client, deadline, deadlines)).await?,
    };
    Some((client, stream))
}

/// Does the TLS handshake, counts its outcome, and logs it. A client that does not speak TLS is told.
async fn secure(
    gateway: &Gateway,
    socket: AcceptedSocket,
    config: Arc<ServerConfig>,
    client: Client,
    deadline: tokio::time::Instant,
    deadlines: impl FnOnce() -> Arc<Deadlines>,
) -> Option<Stream> {
    let client = client.0;
    let Ok(done) = timeout_at(deadline, handshake::accept(socket, config)).await else {
        gateway.metrics.tls_handshake(TlsOutcome::Timeout);
        tracing::debug!(%client, "a TLS handshake took too long (limits.handshake)");
        return None;
    };
    match done {
        Ok(stream) => {
            gateway.metrics.tls_handshake(TlsOutcome::Completed);
            Some(Stream::Right(stream))
        }
        Err(error) => {
            gateway.metrics.tls_handshake(error.outcome());
            tracing::debug!(%client, %error, "no TLS connection");
            if let HandshakeError::NotTls(socket) = error {
                let stream = TimedSocket::new(Stream::Left(*socket), deadlines());
                stream.farewell(&last_answer("400 Bad Request", NOT_TLS)).await;
            }
            None
        }
    }
}

/// Waits until the client sends something. The buffers of HTTP begin there: in a storm most connections wait for their
/// client, and ten kilobytes each would wait with them.
async fn speaks(
    gateway: &Gateway,
    stream: &TcpStream,
    deadline: tokio::time::Instant,
    shutdown: &CancellationToken,
) -> bool {
    // Tokio takes an accepted socket for readable until a read finds nothing.
    let look = || SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
    if !matches!(stream.try_io(Interest::READABLE, look), Err(error) if error.kind() == ErrorKind::WouldBlock)
    {
        return true;
    }
    tokio::select! {
        biased;
        // A broken socket counts as readable: the reader gets the error.
        spoke = timeout_at(deadline, stream.readable()) => {
            if spoke.is_err() {
                gateway.metrics.http_error(HttpError::Timeout);
            }
            spoke.is_ok()
        }
        // A balancer that connected a moment ago is about to ask. A socket that just ends is a failure to it.
        () = after(shutdown, LAST_CHANCE) => false,
    }
}

/// Warns, since the peer is one of our own proxies; but not where it only checked that the port is open.
fn without_proxy_header(gateway: &Gateway, peer: IpAddr, error: &ProxyHeaderError) {
    gateway.metrics.http_error(HttpError::ProxyHeader);
    match error {
        ProxyHeaderError::Ended | ProxyHeaderError::Io(_) => {
            tracing::debug!(%peer, %error, "no PROXY header");
        }
        ProxyHeaderError::Malformed(_) | ProxyHeaderError::TooLong => {
            tracing::warn!(%peer, %error, "a trusted proxy's connection was closed");
        }
    }
}
