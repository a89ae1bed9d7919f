//! The bytes of a connection while it speaks HTTP, measured against its deadlines, and its end.
//!
//! Invariant: a connection ends in good order (RFC 9112 §9.6). The node says that it writes no more, then discards all
//! further bytes until its client has ended its side too, or a deadline of [`Deadlines`] has passed. A socket that is
//! closed with unread bytes resets its connection, and the client may lose the answer.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::{
    deadlines::Deadlines,
    stream::{Stream, Writer, tcp},
};

/// How many bytes are discarded at once.
const DISCARD_BYTES: usize = 16 << 10;

/// See the head of this file.
pub(crate) struct TimedSocket {
    stream: Stream,
    deadlines: Arc<Deadlines>,
    /// Bytes that came, and are read again.
    early: Bytes,
    /// Whether the node said that it writes no more.
    finished: bool,
}

impl TimedSocket {
    pub(crate) fn new(stream: Stream, deadlines: Arc<Deadlines>) -> Self {
        Self { stream, deadlines, early: Bytes::new(), finished: false }
    }

    /// The same socket, from which these bytes are read first.
    pub(super) fn rewound(self, early: Bytes) -> Self {
        Self { early, ..self }
    }

    /// The writing side, whose bytes no deadline sees.
    pub(super) fn writer(&self) -> Writer {
        Writer::of(&self.stream)
    }

    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Writes these last words, unless the end was said already, and ends the connection.
    pub(crate) async fn farewell(mut self, words: &str) {
        let deadlines = self.deadlines.clone();
        let saying = async {
            if !self.finished {
                deadlines.answers();
                self.write_all(words.as_bytes()).await?;
                self.shutdown().await?;
            }
            poll_fn(|cx| self.poll_discard(cx)).await;
            Ok::<_, io::Error>(())
        };
        tokio::select! {
            biased;
            // Fails only where the client went first.
            _ = saying => {}
            late = deadlines.overdue() => tracing::debug!(?late, "an HTTP connection was cut off"),
        }
    }

    /// Resets the connection, and drops the bytes that the kernel still holds for the client.
    pub(crate) fn reset(self) {
        // Fails only where the peer was faster.
        let _ = SockRef::from(tcp(&self.stream)).set_linger(Some(Duration::ZERO));
    }

    fn stream(&mut self) -> Pin<&mut Stream> {
        Pin::new(&mut self.stream)
    }

    /// Notes the outcome of a write.
    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.deadlines.stalls(),
            Poll::Ready(Ok(1..)) => self.deadlines.wrote(),
            Poll::Ready(_) => {}
        }
        written
    }

    /// Notes the outcome of a flush.
    fn flushed(&self, flushed: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        match &flushed {
            Poll::Pending => self.deadlines.stalls(),
            Poll::Ready(_) => self.deadlines.flushed(),
        }
        flushed
    }

    /// Ready once the client has ended its side too, or has sent more than is read.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [MaybeUninit::uninit(); DISCARD_BYTES];
        loop {
            let mut buffer = ReadBuf::uninit(&mut scratch);
            let read = ready!(self.stream().poll_read(cx, &mut buffer));
            let came = buffer.filled().len();
            if read.is_err() || came == 0 || !self.deadlines.discarded(came) {
                return Poll::Ready(());
            }
        }
    }
}

/// A whole answer, the last one of its connection.
pub(crate) fn last_answer(status: &str, sentence: &str) -> String {
    let length = sentence.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{sentence}\n"
    )
}

impl AsyncRead for TimedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let length = self.early.len().min(buffer.remaining());
            buffer.put_slice(&self.early.split_to(length));
            self.deadlines.came();
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = self.stream().poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.deadlines.came();
        }
        read
    }
}

impl AsyncWrite for TimedSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.stream().poll_write(cx, bytes);
        self.written(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.stream().poll_flush(cx);
        self.flushed(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.finished {
            let finished = self.stream().poll_shutdown(cx);
            ready!(self.flushed(finished))?;
            self.finished = true;
            self.deadlines.finished();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream().poll_write_vectored(cx, slices);
        self.written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
