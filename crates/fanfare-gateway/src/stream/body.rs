//! The body of a streamed answer: a session writes at one side, and HTTP reads at the other.
//!
//! Invariants
//! - The body holds at most [`BUFFER`] bytes, and one write more. A sink that is full refuses bytes, as a socket does.
//! - A body whose sink is finished ends behind all that was written. An aborted one ends at once, as a broken answer.
//! - A body that may write to the socket itself ([`Direct`]) does so while nothing waits before the new bytes: its reader
//!   has all that came before, and the socket took it.
//! - Once HTTP drops the body, its client is gone. So is the client of an aborted body.

use std::{
    cell::RefCell,
    io::{self, ErrorKind, IoSlice, Write as _},
    mem::take,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use fanfare_core::Sink;
use hyper::body::{Body, Frame};
use parking_lot::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use crate::{
    http::{stream::Writer, streamed::Direct},
    listener::admission::Permit,
};

/// The bytes that wait for HTTP, which has a buffer of its own.
const BUFFER: usize = 32 << 10;

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    gone: CancellationToken,
}

#[derive(Default)]
struct State {
    bytes: BytesMut,
    end: Option<End>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    socket: Option<Writer>,
    /// The rest of a chunk that the socket did not take whole.
    rest: Bytes,
    /// Whether the reader waits for the next part, and nothing before it is left to write.
    is_clear: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Finished,
    Aborted,
}

/// The side of the session.
pub(crate) struct BodySink(Arc<Shared>);

/// The side of HTTP.
pub(crate) struct StreamBody {
    shared: Arc<Shared>,
    /// Held as long as the answer.
    _permit: Option<Permit>,
}

/// A body that begins with `prelude`, and the token that is cancelled once its client is gone.
pub(crate) fn body(prelude: &[u8], permit: Option<Permit>) -> (BodySink, StreamBody, CancellationToken) {
    let shared = Arc::new(Shared::default());
    shared.state.lock().bytes.extend_from_slice(prelude);
    let gone = shared.gone.clone();
    (BodySink(shared.clone()), StreamBody { shared, _permit: permit }, gone)
}

impl Shared {
    fn end(&self, end: End) {
        let mut state = self.state.lock();
        if state.end == Some(End::Aborted) {
            return;
        }
        state.end = Some(end);
        if end == End::Aborted {
            state.bytes = BytesMut::new();
        }
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        if end == End::Aborted {
            self.gone.cancel();
        }
    }

    /// The waker of the writer is for a state that is not full any more.
    fn taken(&self, mut state: MutexGuard<'_, State>) {
        state.is_clear = false;
        let writer = state.writer.take();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
    }

    fn is_broken(&self, state: &State) -> bool {
        state.end.is_some() || self.gone.is_cancelled()
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.bytes.len() + self.rest.len() >= BUFFER
    }

    /// Writes a chunk to the socket. What that does not take waits for the reader, which finds out too that the socket is
    /// broken.
    fn send(&mut self, part: &[u8]) {
        let Some(socket) = &self.socket else { return };
        let mut size = [0; 16];
        let mut behind = size.as_mut_slice();
        let _ = write!(behind, "{:x}\r\n", part.len());
        let left = behind.len();
        let chunk = [size.get(..size.len() - left).unwrap_or_default(), part, b"\r\n"];
        let mut written = socket.try_write(&chunk.map(IoSlice::new)).unwrap_or(0);
        if written < chunk.iter().map(|part| part.len()).sum() {
            let rest = chunk.iter().flat_map(|part| {
                let taken = written.min(part.len());
                written -= taken;
                part.get(taken..).unwrap_or_default()
            });
            self.rest = rest.copied().collect();
            self.is_clear = false;
        }
    }
}

thread_local! {
    /// The part that is written: its memory is for all bodies of a thread.
    static PART: RefCell<BytesMut> = RefCell::new(BytesMut::with_capacity(BUFFER));
}

impl Direct for Shared {
    fn write_to(&self, socket: Writer) {
        self.state.lock().socket = Some(socket);
    }

    fn rest(&self) -> Option<Bytes> {
        let mut state = self.state.lock();
        let rest = take(&mut state.rest);
        (!rest.is_empty()).then(|| {
            self.taken(state);
            rest
        })
    }
}

impl BodySink {
    /// The way past the reader of the body.
    pub(crate) fn direct(&self) -> Arc<dyn Direct> {
        self.0.clone()
    }

    /// Writes by `write`, which is told how many bytes the body may have when it is done. It returns the number of bytes
    /// that it took of its input.
    ///
    /// # Errors
    /// As [`Sink::try_write`].
    pub(crate) fn write_by(&self, write: impl FnOnce(&mut BytesMut, usize) -> usize) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        if self.0.is_broken(&state) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if state.is_full() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let written = if state.is_clear && state.socket.is_some() {
            PART.with_borrow_mut(|part| {
                part.clear();
                let written = write(part, BUFFER);
                if !part.is_empty() {
                    state.send(part);
                }
                written
            })
        } else {
            write(&mut state.bytes, BUFFER)
        };
        if state.is_clear && state.bytes.is_empty() {
            return Ok(written);
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Ok(written)
    }
}

impl Sink for BodySink {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_by(|bytes, most| {
            let before = bytes.len();
            for slice in slices {
                let room = most.saturating_sub(bytes.len());
                bytes.extend_from_slice(slice.get(..room).unwrap_or(slice));
            }
            bytes.len() - before
        })
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state.lock();
        if !state.is_full() || self.0.is_broken(&state) {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn finish(&self) {
        self.0.end(End::Finished);
    }

    fn abort(&self) {
        self.0.end(End::Aborted);
    }
}

impl Drop for BodySink {
    fn drop(&mut self) {
        let is_open = self.0.state.lock().end.is_none();
        if is_open {
            self.0.end(End::Aborted);
        }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut state = self.shared.state.lock();
        if state.end == Some(End::Aborted) {
            return Poll::Ready(Some(Err(ErrorKind::ConnectionAborted.into())));
        }
        if !state.rest.is_empty() {
            // It came since the reader asked for it.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if state.bytes.is_empty() {
            if state.end.is_some() {
                return Poll::Ready(None);
            }
            state.is_clear = true;
            if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
                state.reader = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        // Memory is not kept for a client that has all.
        let bytes = take(&mut state.bytes).freeze();
        self.shared.taken(state);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        self.shared.gone.cancel();
        let mut state = self.shared.state.lock();
        state.socket = None;
        self.shared.taken(state);
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncReadExt as _,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    fn read(body: &mut StreamBody) -> Poll<Option<Result<Bytes, ErrorKind>>> {
        let polled = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
        polled.map(|read| {
            read.map(|frame| frame.map(|frame| frame.into_data().unwrap()).map_err(|error| error.kind()))
        })
    }

    fn write(sink: &BodySink, bytes: &[u8]) -> Result<usize, ErrorKind> {
        sink.try_write(&[IoSlice::new(bytes), IoSlice::new(b"")]).map_err(|error| error.kind())
    }

    fn is_writable(sink: &BodySink) -> bool {
        sink.poll_writable(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn some(bytes: &'static [u8]) -> Poll<Option<Result<Bytes, ErrorKind>>> {
        Poll::Ready(Some(Ok(bytes.into())))
    }

    #[test]
    fn a_body_brings_what_was_written_and_ends() {
        let (sink, mut body, gone) = body(b"\r\n", None);
        assert_eq!(read(&mut body), some(b"\r\n"));
        assert_eq!(read(&mut body), Poll::Pending);
        assert_eq!((write(&sink, b"ab"), write(&sink, b"c")), (Ok(2), Ok(1)));
        sink.finish();
        assert_eq!(write(&sink, b"d"), Err(ErrorKind::BrokenPipe));
        assert_eq!(read(&mut body), some(b"abc"));
        assert_eq!(read(&mut body), Poll::Ready(None));
        assert!(!gone.is_cancelled());
        drop(body);
        assert!(gone.is_cancelled());
    }

    #[test]
    fn a_full_body_refuses_until_it_is_read() {
        let (sink, mut body, _gone) = body(b"", None);
        assert_eq!(write(&sink, &[1; BUFFER + 1]), Ok(BUFFER));
        assert_eq!(write(&sink, &[1]), Err(ErrorKind::WouldBlock));
        assert!(!is_writable(&sink));
        assert!(read(&mut body).is_ready());
        assert!(is_writable(&sink));
        assert_eq!(write(&sink, &[1]), Ok(1));
    }

    #[test]
    fn an_aborted_body_breaks_at_once() {
        let (sink, mut body, gone) = body(b"", None);
        assert_eq!(write(&sink, b"lost"), Ok(4));
        sink.abort();
        assert!(gone.is_cancelled());
        sink.finish();
        assert_eq!(read(&mut body), Poll::Ready(Some(Err(ErrorKind::ConnectionAborted))));
    }

    #[test]
    fn a_dropped_side_ends_the_other() {
        let (sink, body_of, _) = body(b"", None);
        drop(body_of);
        assert_eq!(write(&sink, b"a"), Err(ErrorKind::BrokenPipe));
        let (sink, mut body_of, gone) = body(b"", None);
        drop(sink);
        assert!(gone.is_cancelled() && read(&mut body_of).is_ready());
    }

    #[tokio::test]
    async fn a_direct_body_keeps_the_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let server = Arc::new(listener.accept().await.unwrap().0);
        let (sink, mut body, _gone) = body(b"first", None);
        body.shared.write_to(Writer::Bare(server.clone()));
        assert_eq!(write(&sink, b","), Ok(1));
        assert_eq!((read(&mut body), read(&mut body)), (some(b"first,"), Poll::Pending));
        // The reader has all: the socket is next.
        assert_eq!(write(&sink, &[b'a'; 26]), Ok(26));
        let mut came = [0; 32];
        client.read_exact(&mut came).await.unwrap();
        assert_eq!(came, *b"1a\r\naaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
        assert_eq!((body.shared.rest(), read(&mut body)), (None, Poll::Pending));
        let mut chunks = 0;
        while body.shared.state.lock().is_clear {
            assert_eq!(write(&sink, &[b'b'; BUFFER]), Ok(BUFFER));
            chunks += 1;
        }
        // The socket is full: what comes now waits behind the rest.
        let _ = write(&sink, b"last");
        assert_eq!(read(&mut body), Poll::Pending);
        let rest = body.shared.rest().unwrap();
        let mut all = vec![0; chunks * (BUFFER + "8000\r\n\r\n".len()) - rest.len()];
        client.read_exact(&mut all).await.unwrap();
        all.extend(rest);
        assert!(all.ends_with(b"b\r\n") && all.starts_with(b"8000\r\nb"));
        drop(body);
        assert_eq!(Arc::strong_count(&server), 1);
    }
}
