//! One connection while it speaks HTTP: its requests, until it ends or becomes a WebSocket.

use std::{
    convert::Infallible,
    io::ErrorKind,
    mem::MaybeUninit,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use fanfare_websocket::handshake;
use http::StatusCode;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest},
    net::TcpStream,
    time::{sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::{
    arrival::{Arrival, ProxyHeaderError},
    client::Client,
    gateway::Gateway,
    metrics::{Handshake, HttpError},
    refusal::Refusal,
    refused::{Asked, Refused},
    sockets::Visit,
    stream::Stream,
    tls::handshake::{HandshakeError, Outcome},
};

/// How long a client that was accepted may take for its next step towards a request, once the node ends.
const LAST_CHANCE: Duration = Duration::from_millis(100);

/// How long a client may take to read why its connection ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

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
    // One for all that comes before HTTP.
    let deadline = tokio::time::Instant::now() + gateway.hub.limits().handshake;
    if !speaks(gateway, arrival.stream(), deadline, &shutdown).await {
        return;
    }
    let opened = tokio::select! {
        opened = open(gateway, arrival, tls, peer.to_canonical(), deadline) => opened,
        () = after(&shutdown, LAST_CHANCE) => None,
    };
    let Some((client, stream)) = opened else { return };
    let server = Requests { gateway, client, visit, has_answered: AtomicBool::new(false) };
    Box::pin(server.serve(stream, router, shutdown)).await;
}

/// What a client says before HTTP: whose connection it is, where a proxy tells that, and TLS.
async fn open(
    gateway: &Gateway,
    mut arrival: Arrival,
    tls: Option<Arc<ServerConfig>>,
    peer: IpAddr,
    deadline: tokio::time::Instant,
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
        Some(config) => Box::pin(secure(gateway, arrival, config, client, deadline)).await?,
    };
    Some((client, stream))
}

/// Ends so long after the shutdown began.
async fn after(shutdown: &CancellationToken, time: Duration) {
    shutdown.cancelled().await;
    sleep(time).await;
}

/// Does the TLS handshake, counts what became of it, and says it in the log. Who speaks no TLS is told.
async fn secure(
    gateway: &Gateway,
    arrival: Arrival,
    config: Arc<ServerConfig>,
    client: Client,
    deadline: tokio::time::Instant,
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
                say(*arrival, &plain("400 Bad Request", NOT_TLS)).await;
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

/// Serves the requests of one connection.
struct Requests<'a> {
    gateway: &'a Arc<Gateway>,
    client: Client,
    visit: &'a Visit,
    has_answered: AtomicBool,
}

impl Requests<'_> {
    async fn serve(&self, stream: Stream, router: Router, shutdown: CancellationToken) {
        let service = service_fn(|request: Request<Incoming>| self.answer(router.clone(), request));
        let limits = self.gateway.config().doors;
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.gateway.hub.limits().handshake)
            .max_buf_size(limits.header_bytes)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let served = tokio::select! {
            // Who has asked is answered, also at the end.
            biased;
            served = &mut connection => served,
            () = after(&shutdown, LAST_CHANCE) => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
        };
        let Err(error) = served else { return };
        let kind = HttpError::of(&error);
        let parts = connection.into_parts();
        let was_silent =
            kind == HttpError::Timeout && parts.as_ref().is_some_and(|parts| parts.read_buf.is_empty());
        if was_silent && self.has_answered.load(Ordering::Relaxed) {
            return tracing::debug!(client = %self.client.0, "no further request came");
        }
        self.gateway.metrics.http_error(kind);
        tracing::debug!(client = %self.client.0, %error, "an HTTP connection ended badly");
        // A browser connects before it has something to ask, and would take an answer for that of its next request.
        if let Some(parts) = parts.filter(|_| !was_silent) {
            last_words(parts.io.into_inner(), kind).await;
        }
    }

    /// Answers one request, and counts whom the answer does not let in.
    async fn answer(&self, router: Router, mut request: Request<Incoming>) -> Result<Response, Infallible> {
        self.visit.serve();
        let (came, is_upgrade) = (Instant::now(), handshake::is_upgrade(request.headers()));
        let client = self.gateway.config().proxies.client(self.client, request.headers());
        request.extensions_mut().insert(client);
        let asked = Asked::of(&request, client);
        let response = self.route(router, request).await?;
        let is_switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let refused = response.extensions().get::<Refused>();
        if is_upgrade {
            let is_accepted = is_switched && refused.is_none();
            let result = if is_accepted { Handshake::Accepted } else { Handshake::Refused };
            self.gateway.metrics.handshake(result, came.elapsed());
        }
        if let Some(refused) = refused {
            self.gateway.metrics.refused(refused);
            asked.log(refused);
        }
        self.has_answered.store(true, Ordering::Relaxed);
        if !is_switched {
            self.visit.wait();
        }
        Ok(response)
    }

    async fn route(&self, mut router: Router, request: Request<Incoming>) -> Result<Response, Infallible> {
        let config = self.gateway.config();
        let (found, allowed) = (request.headers().len(), config.doors.header_count);
        if found > allowed {
            return Ok(Refusal::Headers { found, allowed }.into_response());
        }
        drop(config);
        router.call(request).await
    }
}

/// Says what hyper does not say.
async fn last_words(stream: Stream, error: HttpError) {
    let words = match error {
        HttpError::Timeout => {
            plain("408 Request Timeout", "the request's header did not come in time (limits.handshake)")
        }
        HttpError::Http2 => plain(
            "505 HTTP Version Not Supported",
            "this server does not speak HTTP/2: connect with HTTP/1.1",
        ),
        // Answered by hyper: 400, 414 or 431.
        HttpError::Parse | HttpError::TooLarge => String::new(),
        HttpError::Incomplete | HttpError::ProxyHeader | HttpError::Io | HttpError::Other => return,
    };
    say(stream, &words).await;
}

/// Says it, and reads what still comes: a socket closed with unread bytes would reset the connection, and the answer
/// could be lost.
async fn say(mut stream: impl AsyncRead + AsyncWrite + Unpin, words: &str) {
    let saying = async {
        stream.write_all(words.as_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // Whoever does not listen to the end has no use for it.
    drop(timeout(LAST_WORDS, saying).await);
}

fn plain(status: &str, sentence: &str) -> String {
    let length = sentence.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{sentence}\n"
    )
}
