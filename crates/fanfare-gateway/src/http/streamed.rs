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

use super::deadlines::Deadlines;

/// Marks an answer whose body is the transport of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Streamed;

/// The body of such an answer. Its drop begins the wait for a next request.
struct Lasting {
    body: Body,
    deadlines: Arc<Deadlines>,
}

/// The answer, which tells the deadlines of its connection when its body is over.
pub(super) fn lasting(response: Response, deadlines: Arc<Deadlines>) -> Response {
    response.map(|body| Body::new(Lasting { body, deadlines }))
}

impl hyper::body::Body for Lasting {
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

impl Drop for Lasting {
    fn drop(&mut self) {
        self.deadlines.answered();
    }
}
