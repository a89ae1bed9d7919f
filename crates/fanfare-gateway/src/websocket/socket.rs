//! A TCP socket as the sink of a session's bytes: any task writes straight to it.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    task::{Context, Poll},
};

use fanfare_core::Sink;
use rustix::net::{SendFlags, send};
use socket2::SockRef;
use tokio::net::tcp::OwnedWriteHalf;

use crate::listener::{admission::Permit, descriptors::DescriptorPermit};

/// The writing half of a connection.
pub(crate) struct Socket {
    half: OwnedWriteHalf,
    /// Held as long as the descriptor.
    _held: (DescriptorPermit, Permit),
}

impl Socket {
    /// The sink of a connection that was admitted by these permits.
    pub(crate) fn new(half: OwnedWriteHalf, descriptor: DescriptorPermit, permit: Permit) -> Self {
        Self { half, _held: (descriptor, permit) }
    }
}

impl Sink for Socket {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // Past tokio, which would look first at memory of its own for each socket. After a failure it is asked, so
            // that it learns that the socket is full.
            [one] => send(self.half.as_ref(), one, SendFlags::NOSIGNAL).or_else(|_| self.half.try_write(one)),
            several => self.half.try_write_vectored(several),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.as_ref().poll_write_ready(cx)
    }

    fn finish(&self) {
        self.shutdown(Shutdown::Write);
    }

    fn abort(&self) {
        self.shutdown(Shutdown::Both);
    }
}

impl Socket {
    /// Fails only where the peer was faster.
    fn shutdown(&self, how: Shutdown) {
        let _ = SockRef::from(self.half.as_ref()).shutdown(how);
    }
}
