//! The body of a request: its handler reads it, or leaves a rest of it.
//!
//! Invariant: an answer keeps its connection open only if the whole body of the request has come. Else the rest would
//! be taken for the next request.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::extract::Request;
use bytes::Bytes;
use http::header::EXPECT;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio::task::yield_now;

/// How many bytes of a rest are read before the answer, if they have come already.
const READ_AT_ONCE: usize = 64 << 10;

/// How often in a row the rest is polled: once to read the socket, once more to find the end.
const LOOKS: usize = 2;

struct Shared {
    incoming: Incoming,
    has_ended: bool,
}

impl Shared {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        self.has_ended |= matches!(polled, Poll::Ready(None | Some(Err(_)))) || self.incoming.is_end_stream();
        polled
    }
}

/// The body for the handler; `None` where the request has no body.
pub(crate) struct RequestBody(Option<Arc<Mutex<Shared>>>);

/// The part of a body that the handler leaves.
pub(crate) struct Rest {
    body: Option<Arc<Mutex<Shared>>>,
    /// The client waits for `100 Continue` before it sends the body; a read would send that.
    waits: bool,
}

/// Splits a request: for its handler, and the rest of its body.
pub(crate) fn share(request: Request<Incoming>) -> (Request<RequestBody>, Rest) {
    let waits = request.headers().contains_key(EXPECT);
    let (head, incoming) = request.into_parts();
    let body =
        (!incoming.is_end_stream()).then(|| Arc::new(Mutex::new(Shared { incoming, has_ended: false })));
    let rest = Rest { body: body.clone(), waits };
    (Request::from_parts(head, RequestBody(body)), rest)
}

impl Rest {
    /// Whether the body has come whole. Reads the bytes that have come already, and does not wait.
    pub(crate) async fn is_read(&self) -> bool {
        let Some(body) = &self.body else { return true };
        let (mut read, mut looks) = (0, 0);
        while !body.lock().has_ended {
            if self.waits || read > READ_AT_ONCE || looks > LOOKS {
                return false;
            }
            match poll_fn(|cx| Poll::Ready(body.lock().poll(cx))).await {
                Poll::Ready(frame) => {
                    let data = frame.and_then(Result::ok).and_then(|frame| frame.into_data().ok());
                    read += data.map_or(0, |data| data.len());
                    looks = 0;
                }
                Poll::Pending => {
                    looks += 1;
                    yield_now().await;
                }
            }
        }
        true
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.0.as_ref().map_or(Poll::Ready(None), |body| body.lock().poll(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.lock().has_ended)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |body| body.lock().incoming.size_hint())
    }
}
