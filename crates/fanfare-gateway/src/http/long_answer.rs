//! An answer that goes on, on the socket that hyper leaves to it (HTTP/1): its head, and each part of its body when that
//! comes. Hyper keeps ten kilobytes for each connection, which nobody needs while an answer waits for its session.
//!
//! Invariants
//! - The client gets what hyper would write: chunks, or with HTTP/1.0 the bare body, which ends with the connection.
//! - Reads find out that the client has gone. They stop once it has sent something: that is for the next request.
//! - Only an answer whose client takes nothing has a timer.

use std::{
    io::Write as _,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use axum::{body::Body, response::Response};
use bytes::{Buf, Bytes};
use http::Version;
use httpdate::HttpDate;
use hyper::body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    deadlines::{Deadlines, Late},
    streamed::{Direct, Streamed},
    timed_socket::TimedSocket,
};
use crate::metrics::HttpError;

/// How much a client may send behind its request before the reads stop.
const EARLY: usize = 1 << 10;

/// The end of a body of chunks.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How an answer ended.
pub(super) enum Over {
    /// The client has all of it.
    Whole,
    /// The body broke, or the client has gone.
    Broken(HttpError),
    /// The client did not read.
    Late(Late),
}

/// See the head of this file.
pub(super) struct LongAnswer {
    body: Body,
    /// The bytes that are to be written before the next part of the body.
    out: Bytes,
    direct: Option<Arc<dyn Direct>>,
    has_chunks: bool,
    may_go_on: bool,
    has_ended: bool,
    /// Bytes that the client sent meanwhile.
    early: Bytes,
    socket: TimedSocket,
    deadlines: Arc<Deadlines>,
    late: Option<Pin<Box<dyn Future<Output = Late> + Send>>>,
}

impl LongAnswer {
    /// A response to a request of this version. `may_go_on`: the connection takes a next request. The client has sent
    /// `early` behind this one.
    pub(super) fn new(
        response: Response,
        version: Version,
        may_go_on: bool,
        socket: TimedSocket,
        early: &[u8],
        deadlines: Arc<Deadlines>,
    ) -> Self {
        let has_chunks = version == Version::HTTP_11;
        let streamed = response.extensions().get::<Streamed>();
        let direct = streamed.and_then(|streamed| streamed.0.clone()).filter(|_| has_chunks);
        let (out, body) = (head(&response, version, has_chunks), response.into_body());
        let early = Bytes::copy_from_slice(early);
        if let Some(direct) = &direct {
            direct.write_to(socket.writer());
        }
        Self {
            body,
            out,
            direct,
            has_chunks,
            may_go_on,
            has_ended: false,
            early,
            socket,
            deadlines,
            late: None,
        }
    }

    /// Whether the connection takes a next request.
    pub(super) fn may_go_on(&self) -> bool {
        self.may_go_on
    }

    /// The socket, and what the client sent behind its request.
    pub(super) fn into_parts(self) -> (TimedSocket, Bytes) {
        (self.socket, self.early)
    }

    /// Writes until the end of the body. Pending without a deadline while the body has nothing.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        loop {
            while !self.out.is_empty() {
                match ready!(Pin::new(&mut self.socket).poll_write(cx, &self.out)) {
                    Ok(written) if written > 0 => self.out.advance(written),
                    _ => return Poll::Ready(Over::Broken(HttpError::Io)),
                }
            }
            if ready!(Pin::new(&mut self.socket).poll_flush(cx)).is_err() {
                return Poll::Ready(Over::Broken(HttpError::Io));
            }
            if self.has_ended {
                return Poll::Ready(Over::Whole);
            }
            if let Some(rest) = self.direct.as_ref().and_then(|direct| direct.rest()) {
                self.out = rest;
                continue;
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.out = self.framed(frame.into_data().unwrap_or_default()),
                Some(Err(_)) => return Poll::Ready(Over::Broken(HttpError::Other)),
                None => {
                    self.has_ended = true;
                    self.out = Bytes::from_static(if self.has_chunks { LAST_CHUNK } else { b"" });
                }
            }
        }
    }

    /// A part of the body. An empty chunk would be the last.
    fn framed(&self, part: Bytes) -> Bytes {
        if !self.has_chunks || part.is_empty() {
            return part;
        }
        let mut chunk = Vec::with_capacity(part.len() + 16);
        let _ = write!(chunk, "{:x}\r\n", part.len());
        chunk.extend_from_slice(&part);
        chunk.extend_from_slice(b"\r\n");
        chunk.into()
    }

    /// Ready once the client has gone.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        while self.early.is_empty() {
            let mut bytes = [MaybeUninit::uninit(); EARLY];
            let mut read = ReadBuf::uninit(&mut bytes);
            match ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read)) {
                Ok(()) if read.filled().is_empty() => {
                    return Poll::Ready(Over::Broken(HttpError::Incomplete));
                }
                Ok(()) => self.early = Bytes::copy_from_slice(read.filled()),
                Err(_) => return Poll::Ready(Over::Broken(HttpError::Io)),
            }
        }
        Poll::Pending
    }

    /// Ready once a client that takes nothing has had its time.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        if !self.deadlines.is_stalled() {
            self.late = None;
            return Poll::Pending;
        }
        let deadlines = &self.deadlines;
        let late = self.late.get_or_insert_with(|| {
            let deadlines = deadlines.clone();
            Box::pin(async move { deadlines.overdue().await })
        });
        late.as_mut().poll(cx).map(Over::Late)
    }

    /// Ready when the answer is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        let polled = self.poll_write(cx);
        if polled.is_ready() {
            return polled;
        }
        let polled = self.poll_gone(cx);
        if polled.is_ready() { polled } else { self.poll_late(cx) }
    }
}

/// The head of an answer.
fn head(response: &Response, version: Version, has_chunks: bool) -> Bytes {
    let mut head = Vec::with_capacity(512);
    let status = response.status();
    let _ =
        write!(head, "{version:?} {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default());
    for (name, value) in response.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    if has_chunks {
        head.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    let _ = write!(head, "date: {}\r\n\r\n", HttpDate::from(SystemTime::now()));
    head.into()
}
