//! A connection while it speaks HTTP: on the bare socket, or inside TLS.

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
