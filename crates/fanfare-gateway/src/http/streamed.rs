//! Answers whose body goes on until a session ends.
//!
//! Invariant: while such an answer goes on, its connection has no deadline for a next request, and is not evicted.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// Marks an answer whose body is the transport of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Streamed;

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
