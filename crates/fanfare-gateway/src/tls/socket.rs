//! A TCP socket with TLS inside: one task reads it, any task writes to it.
//!
//! Invariants
//! - One short lock is held while records are made or opened, so that they go out in the order of their numbers.
//! - The bytes of a record that the kernel did not take are kept, of one record at most. Nothing is encrypted before
//!   they are gone.
//! - A writer whose bytes are kept still has a byte to write, if only the last one. So a task that flushes the plain
//!   bytes flushes the records. That byte is behind the first byte of a frame, so the queue never drops it.
//! - The end (close_notify) is said before the socket is shut down, unless the socket is aborted.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use fanfare_core::Sink;
use parking_lot::Mutex;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};

use super::{
    fragment::fragment,
    records::{FRAGMENT, Output, Progress, Records},
};
use crate::listener::{admission::Permit, descriptors::DescriptorPermit, receive::try_receive};

/// The bytes of one read from the kernel: two records.
const READ_BYTES: usize = 32 << 10;

/// How many reads in a row may bring only parts of records, before other tasks get their turn.
const READS_PER_TURN: usize = 4;

/// How long the end may wait for a peer whose socket is full.
const LAST_WORDS: Duration = Duration::from_secs(5);

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    /// Slices that become one record.
    static GATHERED: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(FRAGMENT));
}

/// See the head of this file.
struct TlsSocket {
    io: TcpStream,
    state: Mutex<State>,
    /// Held as long as the descriptor.
    _permit: DescriptorPermit,
}

struct State {
    records: Records,
    /// Decrypted bytes that the reader's buffer did not take.
    plain: Vec<u8>,
    /// Encrypted bytes that the kernel did not take.
    outgoing: Vec<u8>,
    /// Whether the first byte of the next write is in a record already.
    owed: bool,
    /// Whether bytes came since [`TlsStream::came_in_part`] was called last.
    came: bool,
    /// Whether a record came in part since [`TlsStream::part`] was called last.
    began: bool,
    /// Whether the peer said that it sends no more.
    ended: bool,
    /// Whether this node said the end.
    closed: bool,
}

impl TlsSocket {
    fn new(io: TcpStream, permit: DescriptorPermit, records: Records, plain: Vec<u8>) -> Self {
        let outgoing = Vec::new();
        let state = State {
            records,
            plain,
            outgoing,
            owed: false,
            came: false,
            began: false,
            ended: false,
            closed: false,
        };
        Self { io, state: Mutex::new(state), _permit: permit }
    }

    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        for _ in 0..READS_PER_TURN {
            {
                let mut state = self.state.lock();
                if !state.plain.is_empty() {
                    state.give(buffer);
                    return Poll::Ready(Ok(()));
                }
                if state.ended {
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(self.io.poll_read_ready(cx))?;
            let received = READ.with_borrow_mut(|read| match try_receive(&self.io, read) {
                Ok(0) => Ok(false),
                Ok(length) => self.receive(read.get_mut(..length).unwrap_or_default()).map(|()| true),
                Err(error) => Err(error),
            });
            match received {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn receive(&self, came: &mut [u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        state.came = true;
        let length = came.len();
        let before = state.records.incoming();
        let mut output = Output { plain: std::mem::take(&mut state.plain), ..Output::default() };
        let received = state.records.receive(came, &mut output);
        state.plain = output.plain;
        let left = state.records.incoming();
        let is_another = before == 0 || left < before + length;
        state.began = left > 0 && (state.began || is_another);
        // Answers to a change of keys, and alerts. Bytes that the kernel does not take go out with the next write.
        state.outgoing.append(&mut output.outgoing);
        let flushed = state.flush(&self.io);
        match received {
            Ok(progress) => state.ended = progress == Progress::Ended,
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
        match flushed {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let total = slices.iter().map(|slice| slice.len()).sum();
        let mut state = self.state.lock();
        state.flush(&self.io)?;
        let mut taken = usize::from(std::mem::take(&mut state.owed));
        while taken < total {
            GATHERED.with_borrow_mut(|gathered| {
                let payload = fragment(slices, taken, gathered);
                taken += payload.len();
                state.encrypt(payload)
            })?;
            match state.flush(&self.io) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.owed = taken == total;
                    taken -= usize::from(state.owed);
                    return if taken == 0 { Err(error) } else { Ok(taken) };
                }
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Ready once the kernel has all encrypted bytes.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.state.lock().flush(&self.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                flushed => return Poll::Ready(flushed),
            }
            ready!(self.io.poll_write_ready(cx))?;
        }
    }

    /// Ready once the end was said, and the socket is shut down for writing.
    fn poll_finish(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.lock().close();
        let flushed = ready!(self.poll_flush(cx));
        self.shutdown(Shutdown::Write);
        Poll::Ready(flushed)
    }

    /// Fails only where the peer was faster.
    fn shutdown(&self, how: Shutdown) {
        let _ = SockRef::from(&self.io).shutdown(how);
    }
}

impl State {
    /// Gives decrypted bytes to the reader, as many as its buffer takes.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.plain.len().min(buffer.remaining());
        buffer.put_slice(self.plain.get(..length).unwrap_or_default());
        if length == self.plain.len() {
            self.plain = Vec::new();
        } else {
            self.plain.drain(..length);
        }
    }

    fn encrypt(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut output = Output { plain: std::mem::take(&mut self.plain), ..Output::default() };
        let encrypted = self.records.encrypt(payload, &mut output);
        self.plain = output.plain;
        self.outgoing = output.outgoing;
        encrypted
    }

    /// Makes the record of the end, once.
    fn close(&mut self) {
        if !std::mem::replace(&mut self.closed, true) {
            let mut output = Output::default();
            self.records.close(&mut output);
            self.outgoing.append(&mut output.outgoing);
        }
    }

    /// Writes the encrypted bytes, without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where the kernel takes no more for now; any other error: the socket is broken.
    fn flush(&mut self, io: &TcpStream) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            let written = io.try_write(&self.outgoing)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            if written == self.outgoing.len() {
                self.outgoing = Vec::new();
            } else {
                self.outgoing.drain(..written);
            }
        }
        Ok(())
    }
}

/// A TLS record that is not whole, and decrypted bytes that are not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Whether this record was not reported before; also true without a record.
    pub(crate) is_new: bool,
    /// The memory that it takes.
    pub(crate) bytes: usize,
}

/// The socket as a stream: for HTTP, and then for a session's reader.
#[derive(Clone)]
pub(crate) struct TlsStream(Arc<TlsSocket>);

impl TlsStream {
    /// The stream after the handshake; `plain` came right behind it.
    pub(super) fn new(io: TcpStream, permit: DescriptorPermit, records: Records, plain: Vec<u8>) -> Self {
        Self(Arc::new(TlsSocket::new(io, permit, records, plain)))
    }

    /// The TCP socket below.
    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.0.io
    }

    /// Writes as much as the socket takes now.
    pub(crate) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write(slices)
    }

    /// The socket as the place where a session's bytes go. `permit` is held for as long as the sink is.
    pub(crate) fn sink(&self, permit: Permit) -> TlsSink {
        TlsSink { socket: self.0.clone(), _permit: permit }
    }

    /// Whether bytes of a record came since the last call.
    pub(crate) fn came_in_part(&self) -> bool {
        std::mem::take(&mut self.0.state.lock().came)
    }

    /// The bytes that came and were not read, if any.
    pub(crate) fn part(&self) -> Option<Part> {
        let mut state = self.0.state.lock();
        let incoming = state.records.incoming();
        let is_new = std::mem::take(&mut state.began) || incoming == 0;
        let bytes = incoming + state.plain.capacity();
        (bytes > 0).then_some(Part { is_new, bytes })
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read(cx, buffer)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_finish(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.0.try_write(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
            ready!(self.0.io.poll_write_ready(cx))?;
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// The socket as the place where a session's bytes go.
pub(crate) struct TlsSink {
    socket: Arc<TlsSocket>,
    /// Held for as long as the sink is.
    _permit: Permit,
}

impl Sink for TlsSink {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.try_write(slices)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.io.poll_write_ready(cx)
    }

    fn finish(&self) {
        let socket = self.socket.clone();
        let finish = move |cx: &mut Context<'_>| socket.poll_finish(cx);
        if finish(&mut Context::from_waker(Waker::noop())).is_pending() {
            tokio::spawn(timeout(LAST_WORDS, poll_fn(finish)));
        }
    }

    fn abort(&self) {
        self.socket.shutdown(Shutdown::Both);
    }
}
