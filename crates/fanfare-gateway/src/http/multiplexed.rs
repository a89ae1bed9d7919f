//! The requests of one connection of HTTP/2 (RFC 9113), many at a time.
//!
//! Invariants
//! - A connection with an open request has no deadline for a next one, and is not evicted. Without one it has both, as a
//!   connection of HTTP/1.1.
//! - A client that takes nothing is cut off after the time of [`Deadlines`], whatever it has asked for.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{extract::Request, response::Response};
use http::{
    HeaderValue,
    header::{CONNECTION, HOST},
};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    answering::Answering,
    deadlines::{Deadlines, Late, until_the_end},
    streamed::lasting,
    timed_socket::TimedSocket,
};
use crate::{listener::descriptors::Evictable, metrics::HttpError};

/// The requests that a client may have open at a time. RFC 9113, section 6.5.2, wants 100 at least.
const STREAMS: u32 = 250;

/// The bytes of an answer that wait for a client. What a session has beyond them waits in the session, within its limits.
const SEND_BYTES: usize = 64 << 10;

/// The bytes of a request's body that a client may send before they are read.
const RECEIVE_BYTES: u32 = 64 << 10;

/// How often a client is asked for a sign of life, and how long it may take for that.
const PING: Duration = Duration::from_secs(25);
const PONG: Duration = Duration::from_secs(20);

/// The common part of one connection's requests.
pub(super) struct Streams {
    answering: Answering,
    evictable: Arc<Evictable>,
    deadlines: Arc<Deadlines>,
    open: Mutex<usize>,
}

/// A request that is answered, or whose answer goes on.
struct Open(Arc<Streams>);

impl Streams {
    /// The requests of a connection that this client has opened by the preface of HTTP/2.
    pub(super) fn new(
        answering: Answering,
        evictable: Arc<Evictable>,
        deadlines: Arc<Deadlines>,
    ) -> Arc<Self> {
        deadlines.multiplexes();
        Arc::new(Self { answering, evictable, deadlines, open: Mutex::new(0) })
    }

    /// Serves the requests until the connection ends.
    pub(super) async fn serve(self: Arc<Self>, socket: TimedSocket, shutdown: CancellationToken) {
        let (gateway, client) = (self.answering.gateway.clone(), self.answering.client.0);
        let deadlines = self.deadlines.clone();
        let service = service_fn(move |request| self.clone().answer(request));
        let mut connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(gateway.config().admission.header_bytes).unwrap_or(u32::MAX))
            .max_send_buf_size(SEND_BYTES)
            .initial_stream_window_size(RECEIVE_BYTES)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .serve_connection(TokioIo::new(socket), service);
        let serving = until_the_end(&mut connection, &shutdown, |connection| connection.graceful_shutdown());
        tokio::select! {
            biased;
            served = serving => if let Err(error) = served {
                gateway.metrics.http_error(HttpError::of(&error));
                tracing::debug!(%client, %error, "a connection of HTTP/2 ended badly");
            },
            late = deadlines.overdue() => {
                if late == Late::Reader {
                    gateway.metrics.http_error(HttpError::Stalled);
                }
                tracing::debug!(%client, ?late, "a connection of HTTP/2 was cut off");
            }
        }
    }

    async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Result<Response, Infallible> {
        let open = Open::new(&self);
        name_host(&mut request);
        let (mut response, _) = self.answering.answer(request).await?;
        response.headers_mut().remove(CONNECTION);
        Ok(lasting(response, open))
    }
}

/// The host of a request as HTTP/1.1 has it (RFC 9113, section 8.3.1).
fn name_host(request: &mut Request<Incoming>) {
    let authority = request.uri().authority();
    if let Some(host) = authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok()) {
        request.headers_mut().insert(HOST, host);
    }
}

impl Open {
    fn new(streams: &Arc<Streams>) -> Self {
        let mut open = streams.open.lock();
        *open += 1;
        if *open == 1 {
            streams.evictable.serve();
            streams.deadlines.answers();
        }
        Self(streams.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.0.open.lock();
        *open -= 1;
        if *open == 0 {
            self.0.evictable.wait();
            self.0.deadlines.answered();
        }
    }
}
