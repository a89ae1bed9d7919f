//! A connection while it speaks HTTP: on the bare socket, or inside TLS.

use std::{
    io::{self, IoSlice},
    sync::Arc,
};

use tokio::net::TcpStream;
use tokio_util::either::Either;

use crate::{listener::accepted_socket::AcceptedSocket, tls::socket::TlsStream};

/// Left: the bare socket. Right: TLS.
pub(crate) type Stream = Either<AcceptedSocket, TlsStream>;

/// The TCP socket below.
pub(crate) fn tcp(stream: &Stream) -> &TcpStream {
    match stream {
        Either::Left(socket) => socket.stream(),
        Either::Right(stream) => stream.tcp(),
    }
}

/// The writing side of a connection, for any task.
pub(crate) enum Writer {
    Bare(Arc<TcpStream>),
    Tls(TlsStream),
}

impl Writer {
    /// The writing side of this connection.
    pub(super) fn of(stream: &Stream) -> Self {
        match stream {
            Either::Left(socket) => Self::Bare(socket.share()),
            Either::Right(stream) => Self::Tls(stream.clone()),
        }
    }

    /// Writes as much as the socket takes now.
    pub(crate) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Bare(stream) => stream.try_write_vectored(slices),
            Self::Tls(stream) => stream.try_write(slices),
        }
    }
}
