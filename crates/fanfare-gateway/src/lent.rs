//! A socket that is lent to HTTP: what fails there comes back, so that the client can be told.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// A stream that came back.
#[derive(Debug)]
pub(crate) struct Returned<S> {
    pub(crate) stream: S,
    /// The client sent something, and nothing was answered yet.
    pub(crate) is_unanswered: bool,
}

/// A stream that goes back to its lender when it is dropped, unless it was [taken](Lent::take).
pub(crate) struct Lent<S> {
    /// Gone only in the drop.
    stream: Option<S>,
    lender: Option<oneshot::Sender<Returned<S>>>,
    read: bool,
    written: bool,
}

impl<S> Lent<S> {
    /// Lends a stream. The receiver gets it back, or an error where it was taken.
    pub(crate) fn new(stream: S) -> (Self, oneshot::Receiver<Returned<S>>) {
        let (lender, back) = oneshot::channel();
        (Self { stream: Some(stream), lender: Some(lender), read: false, written: false }, back)
    }

    /// Keeps it.
    pub(crate) fn take(mut self) -> Option<S> {
        self.lender = None;
        self.stream.take()
    }
}

impl<S> Drop for Lent<S> {
    fn drop(&mut self) {
        if let (Some(lender), Some(stream)) = (self.lender.take(), self.stream.take()) {
            // A lender that is gone wants it no more: it ends.
            let is_unanswered = self.read && !self.written;
            drop(lender.send(Returned { stream, is_unanswered }));
        }
    }
}

impl<S: Unpin> Lent<S> {
    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut S>> {
        self.get_mut().stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.as_mut().stream()?.poll_read(cx, buffer);
        self.read |= buffer.filled().len() > before;
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written = true;
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.written = true;
        self.stream()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}
