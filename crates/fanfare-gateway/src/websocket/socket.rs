//! A TCP socket as the place where a session's bytes go: written straight to, by whoever has some.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    task::{Context, Poll},
};

use fanfare_core::Sink;
use socket2::SockRef;
use tokio::net::tcp::OwnedWriteHalf;

use crate::{admission::Permit, sockets::Seat};

/// Bytes that the kernel may hold unsent for one connection. More would only hide that a client does not read.
const UNSENT_BYTES: u32 = 128 << 10;

/// The writing half of a connection.
pub struct Socket {
    half: OwnedWriteHalf,
    /// Held for as long as the descriptor is.
    _held: (Seat, Permit),
}

impl Socket {
    /// Takes the half, and what its connection was let in by.
    pub(crate) fn new(half: OwnedWriteHalf, seat: Seat, permit: Permit) -> Self {
        Self { half, _held: (seat, permit) }
    }
}

/// Tunes a socket for small messages: no delay, little unsent. A connection inherits both from its listener, as it is
/// in the moment when the kernel takes the connection: so that is tuned before it listens.
///
/// # Errors
/// The kernel's.
pub fn tune<'a>(socket: impl Into<SockRef<'a>>) -> io::Result<()> {
    let socket = socket.into();
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)
}

impl Sink for Socket {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [one] => self.half.try_write(one),
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use crate::server;

    use super::*;

    #[tokio::test]
    async fn what_is_accepted_has_its_listeners_options() {
        let listener = server::bind(([127, 0, 0, 1], 0).into(), false).unwrap();
        let (client, accepted) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (accepted, _) = accepted.unwrap();
        assert!(!client.unwrap().nodelay().unwrap());
        assert!(accepted.nodelay().unwrap());
        assert_eq!(SockRef::from(&accepted).tcp_notsent_lowat().unwrap(), UNSENT_BYTES);
    }
}
