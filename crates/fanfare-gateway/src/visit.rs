//! One connection from its first byte on: whose it is, TLS, and then its requests, until it ends or becomes a WebSocket.

use std::{io::ErrorKind, mem::MaybeUninit, net::IpAddr, sync::Arc, time::Duration};

use axum::Router;
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::{
    io::Interest,
    net::TcpStream,
    time::{sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    arrival::{Arrival, ProxyHeaderError},
    client::Client,
    gateway::Gateway,
    metrics::HttpError,
    pace::{Pace, Times},
    paced::Paced,
    requests::Requests,
    sockets::Visit,
    stream::Stream,
    tls::handshake::{HandshakeError, Outcome},
};

/// How long a client that was accepted may take for its next step towards a request, once the node ends.
pub(crate) const LAST_CHANCE: Duration = Duration::from_millis(100);

const NOT_TLS: &str = "this port speaks TLS: connect with https:// or wss://";

/// Serves the requests of one connection of `peer` until it ends or becomes a WebSocket, or is given up because
/// others need its place more.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    arrival: Arrival,
    tls: Option<Arc<ServerConfig>>,
    peer: IpAddr,
    router: Router,
    shutdown: CancellationToken,
) {
    let visit = Visit::new(&gateway.sockets);
    tokio::select! {
        // A request that came in the same moment is read first: who asks is not given up.
        biased;
        () = receive(&gateway, arrival, tls, peer, &visit, router, shutdown) => {}
        () = visit.given_up() => tracing::debug!(%peer, "given up: descriptors are short"),
    }
}

/// Learns whose connection it is, then serves it.
async fn receive(
    gateway: &Arc<Gateway>,
    arrival: Arrival,
    tls: Option<Arc<ServerConfig>>,
    peer: IpAddr,
    visit: &Visit,
    router: Router,
    shutdown: CancellationToken,
) {
    let header = gateway.hub.settings.limits().handshake;
    // One for all that comes before HTTP.
    let deadline = tokio::time::Instant::now() + header;
    if !speaks(gateway, arrival.stream(), deadline, &shutdown).await {
        return;
    }
    let keep_alive = gateway.config().doors.keep_alive;
    let pace = || Arc::new(Pace::new(Times { header, keep_alive }, shutdown.clone()));
    let opened = tokio::select! {
        opened = open(gateway, arrival, tls, peer.to_canonical(), deadline, pace) => opened,
        () = after(&shutdown, LAST_CHANCE) => None,
    };
    let Some((client, stream)) = opened else { return };
    let requests = Requests::new(gateway, client, visit, pace(), keep_alive);
    Box::pin(requests.serve(stream, router, shutdown)).await;
}

/// What a client says before HTTP: whose connection it is, where a proxy tells that, and TLS.
async fn open(
    gateway: &Gateway,
    mut arrival: Arrival,
    tls: Option<Arc<ServerConfig>>,
    peer: IpAddr,
    deadline: tokio::time::Instant,
    pace: impl FnOnce() -> Arc<Pace>,
) -> Option<(Client, Stream)> {
    let mut client = Client(peer);
    if gateway.config().proxies.sends_proxy_header(peer) {
        match timeout_at(deadline, arrival.read_proxy_header()).await {
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
        None => Stream::Plain(arrival),
        Some(config) => Box::pin(secure(gateway, arrival, config, client, deadline, pace)).await?,
    };
    Some((client, stream))
}

/// Ends so long after the shutdown began.
pub(crate) async fn after(shutdown: &CancellationToken, time: Duration) {
    shutdown.cancelled().await;
    sleep(time).await;
}

/// Does the TLS handshake, counts what became of it, and says it in the log. A client that speaks no TLS is told.
async fn secure(
    gateway: &Gateway,
    arrival: Arrival,
    config: Arc<ServerConfig>,
    client: Client,
    deadline: tokio::time::Instant,
    pace: impl FnOnce() -> Arc<Pace>,
) -> Option<Stream> {
    let client = client.0;
    let Ok(done) = timeout_at(deadline, arrival.secure(config)).await else {
        gateway.metrics.tls_handshake(Outcome::Timeout);
        tracing::debug!(%client, "a TLS handshake took too long (limits.handshake)");
        return None;
    };
    match done {
        Ok(stream) => {
            gateway.metrics.tls_handshake(Outcome::Completed);
            Some(stream)
        }
        Err(error) => {
            gateway.metrics.tls_handshake(error.outcome());
            tracing::debug!(%client, %error, "no TLS connection");
            if let HandshakeError::NotTls(arrival) = error {
                let stream = Paced::new(Stream::Plain(*arrival), pace());
                stream.farewell(&plain("400 Bad Request", NOT_TLS)).await;
            }
            None
        }
    }
}

/// Waits until the client says something. HTTP and its buffers begin there: in a storm most connections wait for
/// their client's turn, and ten kilobytes each would wait with them.
async fn speaks(
    gateway: &Gateway,
    stream: &TcpStream,
    deadline: tokio::time::Instant,
    shutdown: &CancellationToken,
) -> bool {
    // Tokio takes what it accepted for readable until a look says otherwise.
    let look = || SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
    if !matches!(stream.try_io(Interest::READABLE, look), Err(error) if error.kind() == ErrorKind::WouldBlock)
    {
        return true;
    }
    tokio::select! {
        biased;
        // Where the socket is broken, whoever reads it is told.
        spoke = timeout_at(deadline, stream.readable()) => {
            if spoke.is_err() {
                gateway.metrics.http_error(HttpError::Timeout);
            }
            spoke.is_ok()
        }
        // A balancer that connected a moment ago is about to ask, and takes a socket that just ends for a failure.
        () = after(shutdown, LAST_CHANCE) => false,
    }
}

/// Says it aloud, since the peer is one of our own proxies; but not where it only looked whether somebody listens.
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

/// A whole answer, the last one of its connection.
pub(crate) fn plain(status: &str, sentence: &str) -> String {
    let length = sentence.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{sentence}\n"
    )
}
