//! A TCP socket as the place where a session's bytes go: written straight to, by whoever has some.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    task::{Context, Poll},
};

use fanfare_core::Sink;
use socket2::SockRef;
use tokio::net::{TcpStream, tcp::OwnedWriteHalf};

/// Bytes that the kernel may hold unsent for one connection. More would only hide that a client does not read.
const UNSENT_BYTES: u32 = 128 << 10;

/// The writing half of a connection.
pub struct Socket(OwnedWriteHalf);

impl Socket {
    /// Takes the half.
    #[must_use]
    pub fn new(half: OwnedWriteHalf) -> Self {
        Self(half)
    }
}

/// Tunes a socket that will carry small messages: no delay, little unsent.
///
/// # Errors
/// The kernel's.
pub fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES)
}

impl Sink for Socket {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [one] => self.0.try_write(one),
            several => self.0.try_write_vectored(several),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_ref().poll_write_ready(cx)
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
        let _ = SockRef::from(self.0.as_ref()).shutdown(how);
    }
}
