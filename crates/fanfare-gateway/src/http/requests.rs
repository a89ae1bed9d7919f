//! The requests of one connection, one after the other (HTTP/1.1). A client that begins with the preface of HTTP/2 gets
//! [`multiplexed`](super::multiplexed) requests instead.
//!
//! Invariants
//! - Each answer says whether its connection goes on: with `Keep-Alive: timeout=` the connection takes a next request
//!   for at least that time, with `Connection: close` it takes none.
//! - Unless the connection becomes a WebSocket, it ends by [`TimedSocket::farewell`] or the same way: the bytes that
//!   its client still sends are read, within bounds, so that the answer reaches the client.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{extract::Request, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header::CONNECTION};
use hyper::{body::Incoming, server::conn::http1, service::service_fn, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    answering::{Answering, Routes},
    deadlines::{Deadlines, Late, until_the_end},
    multiplexed::Streams,
    stream::Stream,
    streamed::{Streamed, lasting},
    timed_socket::{TimedSocket, last_answer},
    upgraded::take_back,
};
use crate::{
    gateway::Gateway,
    listener::{client_address::Client, descriptors::Evictable},
    metrics::HttpError,
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

const TOO_SLOW: &str = "the request's header did not come in time (limits.handshake)";

/// See the head of this file.
pub(crate) struct Requests {
    answering: Answering,
    evictable: Arc<Evictable>,
    deadlines: Arc<Deadlines>,
    has_answered: AtomicBool,
    /// The way back to the socket after a refused upgrade: hyper takes such a connection for upgraded when it ends.
    refused_upgrade: Mutex<Option<OnUpgrade>>,
    /// The header of an answer after which the connection goes on.
    keep_alive: Option<HeaderValue>,
}

/// The socket that HTTP leaves, and the bytes that it read and did not use.
type Left = (TimedSocket, Bytes);

/// Why the requests ended.
enum End {
    Http(hyper::Result<()>),
    Late(Late),
}

/// Begins the wait for a next request when it is dropped.
struct Next(Arc<Deadlines>);

impl Drop for Next {
    fn drop(&mut self) {
        self.0.answered();
    }
}

impl Requests {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        client: Client,
        routes: Routes,
        evictable: Arc<Evictable>,
        deadlines: Arc<Deadlines>,
        keep_alive: Duration,
    ) -> Self {
        Self {
            answering: Answering { gateway, client, routes },
            evictable,
            deadlines,
            has_answered: AtomicBool::new(false),
            refused_upgrade: Mutex::default(),
            keep_alive: HeaderValue::from_str(&format!("timeout={}", keep_alive.as_secs())).ok(),
        }
    }

    /// Serves the requests until the connection ends or becomes a WebSocket.
    pub(crate) async fn serve(self, stream: Stream, shutdown: CancellationToken) {
        let service = service_fn(|request: Request<Incoming>| self.answer(request));
        let mut connection = http1::Builder::new()
            // The deadlines bound it.
            .header_read_timeout(None::<Duration>)
            .max_buf_size(self.answering.gateway.config().admission.header_bytes)
            .serve_connection(TokioIo::new(TimedSocket::new(stream, self.deadlines.clone())), service)
            .with_upgrades();
        let serving = until_the_end(&mut connection, &shutdown, |connection| connection.graceful_shutdown());
        let end = tokio::select! {
            // Bytes that came in time are read first.
            biased;
            served = serving => End::Http(served),
            late = self.deadlines.overdue() => End::Late(late),
        };
        let parts = connection.into_parts().map(|parts| (parts.io.into_inner(), parts.read_buf));
        match end {
            End::Http(Ok(())) => self.ended(parts).await,
            End::Http(Err(error)) if error.is_parse_version_h2() => self.multiplex(parts, shutdown).await,
            End::Http(Err(error)) => self.ended_badly(&error, parts).await,
            End::Late(late) => self.overdue(late, parts).await,
        }
    }

    /// The client speaks HTTP/2, and nothing was answered yet.
    async fn multiplex(self, parts: Option<Left>, shutdown: CancellationToken) {
        let Some((socket, read)) = parts else { return };
        let socket = socket.rewound(read);
        Streams::new(self.answering, self.evictable, self.deadlines).serve(socket, shutdown).await;
    }

    /// Ends the connection after its last request. HTTP keeps the stream, unless it takes its connection for upgraded.
    async fn ended(&self, parts: Option<Left>) {
        let refused = self.refused_upgrade.lock().take();
        let stream = match (parts, refused) {
            (Some((stream, _)), _) => stream,
            (None, Some(refused)) => match take_back(refused).await {
                Ok((stream, _)) => stream,
                Err(_) => return,
            },
            (None, None) => return,
        };
        stream.farewell("").await;
    }

    async fn ended_badly(&self, error: &hyper::Error, parts: Option<Left>) {
        let kind = HttpError::of(error);
        self.answering.gateway.metrics.http_error(kind);
        tracing::debug!(client = %self.answering.client.0, %error, "an HTTP connection ended badly");
        let Some((stream, _)) = parts else { return };
        if matches!(kind, HttpError::Parse | HttpError::TooLarge) {
            // Hyper has answered: 400, 414 or 431.
            stream.farewell("").await;
        }
    }

    async fn overdue(&self, late: Late, parts: Option<Left>) {
        let Some((stream, read)) = parts else { return };
        let client = self.answering.client.0;
        match late {
            Late::Rest => tracing::debug!(%client, "an answered client sent on and on: it was cut off"),
            Late::Reader => {
                self.answering.gateway.metrics.http_error(HttpError::Stalled);
                tracing::debug!(%client, "a client did not read its answer");
                stream.reset();
            }
            Late::Request => {
                tracing::debug!(%client, "no further request came");
                stream.farewell("").await;
            }
            Late::Header => {
                self.answering.gateway.metrics.http_error(HttpError::Timeout);
                tracing::debug!(%client, "a request's header did not come in time");
                // A browser connects before it has a request, and would take this answer for that of its next request.
                let is_silent = read.is_empty() && !self.has_answered.load(Ordering::Relaxed);
                let words =
                    if is_silent { String::new() } else { last_answer("408 Request Timeout", TOO_SLOW) };
                stream.farewell(&words).await;
            }
        }
    }

    /// Answers one request, and says whether the connection goes on.
    async fn answer(&self, request: Request<Incoming>) -> Result<Response, Infallible> {
        self.evictable.serve();
        self.deadlines.answers();
        let may_go_on = request.version() == Version::HTTP_11 && !closes(request.headers());
        let way_back = request.extensions().get::<OnUpgrade>().cloned();
        let (mut response, rest) = self.answering.answer(request).await?;
        self.has_answered.store(true, Ordering::Relaxed);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.refused_upgrade.lock().take();
            return Ok(response);
        }
        if let Some(way_back) = way_back {
            *self.refused_upgrade.lock() = Some(way_back);
        }
        if !rest.is_read().await {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if may_go_on
            && !closes(response.headers())
            && let Some(announced) = &self.keep_alive
        {
            response.headers_mut().insert(KEEP_ALIVE, announced.clone());
        }
        if response.extensions().get::<Streamed>().is_some() {
            return Ok(lasting(response, Next(self.deadlines.clone())));
        }
        self.evictable.wait();
        self.deadlines.answered();
        Ok(response)
    }
}

/// Whether a request or an answer is its connection's last.
fn closes(headers: &HeaderMap) -> bool {
    let options = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    options.flat_map(|options| options.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"))
}
