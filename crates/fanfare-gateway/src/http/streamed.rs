//! Answers whose body goes on until a session ends.
//!
//! Invariant: while such an answer goes on, its connection has no deadline for a next request, and is not evicted.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::stream::Writer;

/// Marks an answer whose body is the transport of a session.
#[derive(Clone)]
pub(crate) struct Streamed(pub(crate) Option<Arc<dyn Direct>>);

/// A body whose session writes to the socket itself, without the task of the connection.
pub(crate) trait Direct: Send + Sync {
    /// From the moment on when its reader waits for the next part, each part goes to this socket as a chunk.
    fn write_to(&self, socket: Writer);

    /// The rest of a chunk that the socket did not take whole: it comes before the next part.
    fn rest(&self) -> Option<Bytes>;
}

/// A body that drops `until` when it is over.
struct Lasting<T> {
    body: Body,
    _until: T,
}

/// The answer, which drops `until` when its body is over.
pub(super) fn lasting<T: Unpin + Send + 'static>(response: Response, until: T) -> Response {
    response.map(|body| Body::new(Lasting { body, _until: until }))
}

impl<T: Unpin> hyper::body::Body for Lasting<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
