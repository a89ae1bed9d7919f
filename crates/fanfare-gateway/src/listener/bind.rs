//! Sockets that listen.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// Connections that the kernel holds until they are accepted. A storm is larger than the usual 128.
const BACKLOG: i32 = 4096;

/// Bytes that the kernel may hold unsent for one connection. More bytes would only hide that a client does not read.
const UNSENT_BYTES: u32 = 128 << 10;

/// Binds one address. `[::]` stands for all IPv4 addresses too where `is_dual_stack` says so.
///
/// # Errors
/// The kernel's: the address is taken, is not of this machine, or needs a permission.
pub fn bind(address: SocketAddr, is_dual_stack: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!is_dual_stack)?;
    }
    tune(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Tunes a socket for small messages: no delay, little unsent. A connection inherits both from its listener at the
/// moment when the kernel takes the connection, so a listener is tuned before it listens.
///
/// # Errors
/// The kernel's.
pub(crate) fn tune<'a>(socket: impl Into<SockRef<'a>>) -> io::Result<()> {
    let socket = socket.into();
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)
}

/// The connections that wait to be accepted.
pub(crate) fn waiting(listener: TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    let listener = listener.into_std().ok();
    // Asked directly: tokio has not heard yet of a connection that came a moment ago.
    let accept = move || match listener.as_ref()?.accept() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        accepted => Some(accepted),
    };
    let ours = |(stream, peer): (std::net::TcpStream, _)| {
        stream.set_nonblocking(true)?;
        Ok::<_, io::Error>((TcpStream::from_std(stream)?, peer))
    };
    // A connection that broke meanwhile does not keep the others waiting.
    std::iter::from_fn(accept).take(BACKLOG as usize).filter_map(move |accepted| accepted.and_then(ours).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_accepted_socket_has_its_listeners_options() {
        let listener = bind(([127, 0, 0, 1], 0).into(), false).unwrap();
        let (client, accepted) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (accepted, _) = accepted.unwrap();
        assert!(!client.unwrap().nodelay().unwrap());
        assert!(accepted.nodelay().unwrap());
        assert_eq!(SockRef::from(&accepted).tcp_notsent_lowat().unwrap(), UNSENT_BYTES);
    }
}
