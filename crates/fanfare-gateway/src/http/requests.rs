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
    future::{pending, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
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
    long_answer::{LongAnswer, Over},
    multiplexed::Streams,
    stream::Stream,
    streamed::Streamed,
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
    /// An answer that goes on, until it leaves hyper.
    long: Mutex<Option<Box<Long>>>,
    /// The header of an answer after which the connection goes on.
    keep_alive: Option<HeaderValue>,
}

/// The socket that HTTP leaves, and the bytes that it read and did not use.
type Left = (TimedSocket, Bytes);

/// Why the requests ended.
enum End {
    Http(hyper::Result<Option<Box<Long>>>),
    Late(Late),
}

/// An answer that goes on, and leaves hyper.
struct Long {
    response: Response,
    version: Version,
    /// Whether the connection takes a next request behind it.
    may_go_on: bool,
}

/// The outcome of hyper's part.
enum Next {
    /// The connection has ended, or become a WebSocket.
    Nothing,
    /// The client speaks HTTP/2.
    Multiplexed(TimedSocket),
    /// An answer that goes on.
    Long(Box<LongAnswer>),
}

/// Hyper, until the connection ends or an answer leaves it.
struct Speaking<'a, C> {
    hyper: C,
    requests: &'a Requests,
}

impl<C: Future<Output = hyper::Result<()>> + Unpin> Future for Speaking<'_, C> {
    type Output = hyper::Result<Option<Box<Long>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(ended) = Pin::new(&mut self.hyper).poll(cx) {
            return Poll::Ready(ended.map(|()| None));
        }
        // Bytes of an earlier answer that the socket did not take are hyper's.
        if self.requests.deadlines.is_stalled() {
            return Poll::Pending;
        }
        self.requests.long.lock().take().map_or(Poll::Pending, |long| Poll::Ready(Ok(Some(long))))
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
            long: Mutex::default(),
            keep_alive: HeaderValue::from_str(&format!("timeout={}", keep_alive.as_secs())).ok(),
        }
    }

    /// Serves the requests until the connection ends or becomes a WebSocket.
    ///
    /// Each step but an answer that goes on is boxed: its memory is gone in the next.
    pub(crate) async fn serve(self, stream: Stream, shutdown: CancellationToken) {
        let socket = TimedSocket::new(stream, self.deadlines.clone());
        let mut next = Box::pin(self.speak(socket, &shutdown)).await;
        loop {
            next = match next {
                Next::Nothing => return,
                Next::Multiplexed(socket) => {
                    let streams = Streams::new(self.answering, self.evictable, self.deadlines);
                    return Box::pin(streams.serve(socket, shutdown)).await;
                }
                Next::Long(mut answer) => {
                    let over = poll_fn(|cx| answer.poll(cx)).await;
                    Box::pin(self.go_on(over, answer, &shutdown)).await
                }
            }
        }
    }

    /// Lets hyper serve requests.
    async fn speak(&self, socket: TimedSocket, shutdown: &CancellationToken) -> Next {
        let service = service_fn(|request: Request<Incoming>| self.answer(request));
        let hyper = http1::Builder::new()
            // The deadlines bound it.
            .header_read_timeout(None::<Duration>)
            .max_buf_size(self.answering.gateway.config().admission.header_bytes)
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        let mut speaking = Speaking { hyper, requests: self };
        let serving = until_the_end(&mut speaking, shutdown, |mut speaking| {
            Pin::new(&mut speaking.hyper).graceful_shutdown();
        });
        let end = tokio::select! {
            // Bytes that came in time are read first.
            biased;
            served = serving => End::Http(served),
            late = self.deadlines.overdue() => End::Late(late),
        };
        let parts = speaking.hyper.into_parts().map(|parts| (parts.io.into_inner(), parts.read_buf));
        match end {
            End::Http(Ok(None)) => self.ended(parts).await,
            End::Http(Ok(Some(long))) => {
                self.refused_upgrade.lock().take();
                let Some((socket, early)) = parts else { return Next::Nothing };
                let Long { response, version, may_go_on } = *long;
                let deadlines = self.deadlines.clone();
                let answer = LongAnswer::new(response, version, may_go_on, socket, &early, deadlines);
                return Next::Long(Box::new(answer));
            }
            // Nothing was answered yet.
            End::Http(Err(error)) if error.is_parse_version_h2() => {
                return parts.map_or(Next::Nothing, |(socket, read)| Next::Multiplexed(socket.rewound(read)));
            }
            End::Http(Err(error)) => self.ended_badly(&error, parts).await,
            End::Late(late) => self.overdue(late, parts).await,
        }
        Next::Nothing
    }

    /// Ends the connection behind an answer that went on, or lets hyper serve the next request.
    async fn go_on(&self, over: Over, answer: Box<LongAnswer>, shutdown: &CancellationToken) -> Next {
        let may_go_on = answer.may_go_on() && !shutdown.is_cancelled();
        let (socket, early) = answer.into_parts();
        match over {
            Over::Whole if may_go_on => {
                self.evictable.wait();
                self.deadlines.answered();
                return self.speak(socket.rewound(early), shutdown).await;
            }
            Over::Whole => socket.farewell("").await,
            Over::Broken(kind) => {
                self.answering.gateway.metrics.http_error(kind);
                tracing::debug!(client = %self.answering.client.0, ?kind, "an answer ended early");
            }
            Over::Late(late) => self.overdue(late, Some((socket, early))).await,
        }
        Next::Nothing
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
        let version = request.version();
        let may_go_on = version == Version::HTTP_11 && !closes(request.headers());
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
        let may_go_on = may_go_on && !closes(response.headers());
        if may_go_on && let Some(announced) = &self.keep_alive {
            response.headers_mut().insert(KEEP_ALIVE, announced.clone());
        }
        if response.extensions().get::<Streamed>().is_some() {
            if !may_go_on {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            *self.long.lock() = Some(Box::new(Long { response, version, may_go_on }));
            // The connection takes it from there.
            return pending().await;
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
