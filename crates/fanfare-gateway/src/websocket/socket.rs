//! A TCP socket: one task reads it, any task writes straight to it.
//!
//! The session's sink and its reader are one allocation: a delivery looks at memory of its own for each client, and
//! mostly waits for it.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use fanfare_core::Sink;
use rustix::net::{SendFlags, send};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
};

use crate::listener::{admission::Permit, descriptors::DescriptorPermit, receive::poll_receive};

/// The socket as the sink of its session's bytes.
pub(crate) struct Socket {
    stream: TcpStream,
    /// Held as long as the descriptor.
    _held: (DescriptorPermit, Permit),
}

impl Socket {
    /// The socket of a connection that was admitted by these permits.
    pub(crate) fn new(stream: TcpStream, descriptor: DescriptorPermit, permit: Permit) -> Self {
        Self { stream, _held: (descriptor, permit) }
    }

    /// Fails only where the peer was faster.
    fn shutdown(&self, how: Shutdown) {
        let _ = SockRef::from(&self.stream).shutdown(how);
    }
}

impl Sink for Socket {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // Past tokio, which would look first at memory of its own for each socket. After a failure it is asked, so
            // that it learns that the socket is full.
            [one] => send(&self.stream, one, SendFlags::NOSIGNAL).or_else(|_| self.stream.try_write(one)),
            several => self.stream.try_write_vectored(several),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(cx)
    }

    fn finish(&self) {
        self.shutdown(Shutdown::Write);
    }

    fn abort(&self) {
        self.shutdown(Shutdown::Both);
    }
}

/// The socket for the task that reads it.
pub(crate) struct SocketReader(pub(super) Arc<Socket>);

impl AsyncRead for SocketReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_receive(&self.0.stream, cx, buffer)
    }
}
