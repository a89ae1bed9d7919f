//! The HTTP requests of one connection.
//!
//! Invariants
//! - Each answer says whether its connection goes on: with `Keep-Alive: timeout=` the connection takes a next request
//!   for at least that time, with `Connection: close` it takes none.
//! - Unless the connection becomes a WebSocket, it ends by [`TimedSocket::farewell`] or the same way: the bytes that
//!   its client still sends are read, within bounds, so that the answer reaches the client.

use std::{
    convert::Infallible,
    pin::Pin,
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
use fanfare_core::Channel;
use fanfare_websocket::handshake;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header::CONNECTION};
use hyper::{
    body::Incoming,
    server::conn::http1::{self, Parts},
    service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::{
    body::{self, RequestBody},
    deadlines::{Deadlines, LAST_CHANCE, Late, after},
    refusal::Refusal,
    refused::{Asked, Refused},
    request_check,
    stream::Stream,
    streamed::{Streamed, lasting},
    timed_socket::{TimedSocket, last_answer},
    upgraded::take_back,
};
use crate::{
    gateway::Gateway,
    listener::{client_address::Client, descriptors::Evictable},
    metrics::{HandshakeResult, HttpError},
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

const TOO_SLOW: &str = "the request's header did not come in time (limits.handshake)";
const HTTP_2: &str = "this server does not speak HTTP/2: connect with HTTP/1.1";

/// See the head of this file.
pub(crate) struct Requests<'a> {
    gateway: &'a Arc<Gateway>,
    client: Client,
    evictable: &'a Evictable,
    deadlines: Arc<Deadlines>,
    has_answered: AtomicBool,
    /// The way back to the socket after a refused upgrade: hyper takes such a connection for upgraded when it ends.
    refused_upgrade: Mutex<Option<OnUpgrade>>,
    /// The header of an answer after which the connection goes on.
    keep_alive: Option<HeaderValue>,
}

/// The paths of a listener.
#[derive(Clone)]
pub(crate) struct Routes {
    /// Answers requests.
    pub(crate) router: Router,
    /// The channel that a path names: for the log.
    pub(crate) channel_of: fn(&str) -> Option<Channel>,
}

/// Why the requests ended.
enum End {
    Http(hyper::Result<()>),
    Late(Late),
}

impl<'a> Requests<'a> {
    pub(crate) fn new(
        gateway: &'a Arc<Gateway>,
        client: Client,
        evictable: &'a Evictable,
        deadlines: Arc<Deadlines>,
        keep_alive: Duration,
    ) -> Self {
        Self {
            gateway,
            client,
            evictable,
            deadlines,
            has_answered: AtomicBool::new(false),
            refused_upgrade: Mutex::default(),
            keep_alive: HeaderValue::from_str(&format!("timeout={}", keep_alive.as_secs())).ok(),
        }
    }

    /// Serves the requests until the connection ends or becomes a WebSocket.
    pub(crate) async fn serve(&self, stream: Stream, routes: Routes, shutdown: CancellationToken) {
        let service = service_fn(|request: Request<Incoming>| self.answer(routes.clone(), request));
        let mut connection = http1::Builder::new()
            // The deadlines bound it.
            .header_read_timeout(None::<Duration>)
            .max_buf_size(self.gateway.config().admission.header_bytes)
            .serve_connection(TokioIo::new(TimedSocket::new(stream, self.deadlines.clone())), service)
            .with_upgrades();
        let serving = async {
            tokio::select! {
                // A client that has asked is answered, also at the end.
                biased;
                served = &mut connection => return served,
                () = after(&shutdown, LAST_CHANCE) => {}
            }
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        };
        let end = tokio::select! {
            // Bytes that came in time are read first.
            biased;
            served = serving => End::Http(served),
            late = self.deadlines.overdue() => End::Late(late),
        };
        let parts = connection.into_parts();
        match end {
            End::Http(Ok(())) => self.ended(parts).await,
            End::Http(Err(error)) => self.ended_badly(&error, parts).await,
            End::Late(late) => self.overdue(late, parts).await,
        }
    }

    /// Ends the connection after its last request. HTTP keeps the stream, unless it takes its connection for upgraded.
    async fn ended<S>(&self, parts: Option<Parts<TokioIo<TimedSocket>, S>>) {
        let refused = self.refused_upgrade.lock().take();
        let stream = match (parts, refused) {
            (Some(parts), _) => parts.io.into_inner(),
            (None, Some(refused)) => match take_back(refused).await {
                Ok((stream, _)) => stream,
                Err(_) => return,
            },
            (None, None) => return,
        };
        stream.farewell("").await;
    }

    async fn ended_badly<S>(&self, error: &hyper::Error, parts: Option<Parts<TokioIo<TimedSocket>, S>>) {
        let kind = HttpError::of(error);
        self.gateway.metrics.http_error(kind);
        tracing::debug!(client = %self.client.0, %error, "an HTTP connection ended badly");
        let Some(stream) = parts.map(|parts| parts.io.into_inner()) else { return };
        match kind {
            HttpError::Http2 => stream.farewell(&last_answer("505 HTTP Version Not Supported", HTTP_2)).await,
            // Hyper has answered: 400, 414 or 431.
            HttpError::Parse | HttpError::TooLarge => stream.farewell("").await,
            _ => {}
        }
    }

    async fn overdue<S>(&self, late: Late, parts: Option<Parts<TokioIo<TimedSocket>, S>>) {
        let Some(parts) = parts else { return };
        let (stream, read) = (parts.io.into_inner(), parts.read_buf);
        let client = self.client.0;
        match late {
            Late::Rest => tracing::debug!(%client, "an answered client sent on and on: it was cut off"),
            Late::Reader => {
                self.gateway.metrics.http_error(HttpError::Stalled);
                tracing::debug!(%client, "a client did not read its answer");
                stream.reset();
            }
            Late::Request => {
                tracing::debug!(%client, "no further request came");
                stream.farewell("").await;
            }
            Late::Header => {
                self.gateway.metrics.http_error(HttpError::Timeout);
                tracing::debug!(%client, "a request's header did not come in time");
                // A browser connects before it has a request, and would take this answer for that of its next request.
                let is_silent = read.is_empty() && !self.has_answered.load(Ordering::Relaxed);
                let words =
                    if is_silent { String::new() } else { last_answer("408 Request Timeout", TOO_SLOW) };
                stream.farewell(&words).await;
            }
        }
    }

    /// Answers one request; counts and logs a refusal.
    async fn answer(&self, routes: Routes, mut request: Request<Incoming>) -> Result<Response, Infallible> {
        self.evictable.serve();
        self.deadlines.answers();
        let (came, is_upgrade) = (Instant::now(), handshake::is_upgrade(request.headers()));
        let may_go_on = request.version() == Version::HTTP_11 && !closes(request.headers());
        let way_back = request.extensions().get::<OnUpgrade>().cloned();
        let client = self.gateway.config().proxies.client(self.client, request.headers());
        request.extensions_mut().insert(client);
        let asked = Asked::of(&request, client);
        let (request, rest) = body::share(request);
        let mut response = self.route(routes.router, request).await?;
        let is_switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let refused = response.extensions().get::<Refused>();
        if is_upgrade {
            let is_accepted = is_switched && refused.is_none();
            let result = if is_accepted { HandshakeResult::Accepted } else { HandshakeResult::Refused };
            self.gateway.metrics.handshake(result, came.elapsed());
        }
        if let Some(refused) = refused {
            self.gateway.metrics.refused(refused.why, refused.limit);
            asked.log(refused, routes.channel_of);
        }
        self.has_answered.store(true, Ordering::Relaxed);
        if is_switched {
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
            return Ok(lasting(response, self.deadlines.clone()));
        }
        self.evictable.wait();
        self.deadlines.answered();
        Ok(response)
    }

    async fn route(&self, mut router: Router, request: Request<RequestBody>) -> Result<Response, Infallible> {
        let config = self.gateway.config();
        let (found, allowed) = (request.headers().len(), config.admission.header_count);
        if found > allowed {
            return Ok(Refusal::Headers { found, allowed }.into_response());
        }
        if let Err(improper) = request_check::check(&request) {
            return Ok(Refusal::from(improper).into_response());
        }
        drop(config);
        router.call(request).await
    }
}

/// Whether a request or an answer is its connection's last.
fn closes(headers: &HeaderMap) -> bool {
    let options = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    options.flat_map(|options| options.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"))
}
