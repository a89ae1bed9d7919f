//! The source addresses of connections: to one address and port of a server, a source address allows as many connections
//! as there are ephemeral ports.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpSocket, TcpStream};

/// Connections from one address: fewer than Linux' 28,232 ephemeral ports, because an earlier run may still hold some.
const PER_ADDRESS: usize = 20_000;

/// The source addresses of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources(Vec<IpAddr>);

impl Sources {
    /// The named addresses. Without any, 127.0.0.2 and on, if all nodes are on loopback and one address has too few
    /// ports.
    #[must_use]
    pub fn new(named: &[IpAddr], nodes: impl IntoIterator<Item = SocketAddr>, connections: usize) -> Self {
        let is_loopback = |node: SocketAddr| matches!(node.ip(), IpAddr::V4(ip) if ip.is_loopback());
        if !named.is_empty() || connections <= PER_ADDRESS || !nodes.into_iter().all(is_loopback) {
            return Self(named.to_vec());
        }
        let count = connections.div_ceil(PER_ADDRESS);
        let addresses = (2..=u8::MAX).take(count).map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
        Self(addresses.collect())
    }

    /// The source address of a connection. `None`: the kernel chooses.
    #[must_use]
    pub fn of(&self, number: usize) -> Option<IpAddr> {
        self.0.get((number / PER_ADDRESS) % self.0.len().max(1)).copied()
    }
}

/// Connects from this address.
///
/// # Errors
/// The kernel's.
pub(crate) async fn connect(to: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(source) = source else { return TcpStream::connect(to).await };
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // The kernel chooses the port at the connect: then one port can serve several servers.
    setsockopt(&socket, IpBindAddressNoPort, &true)?;
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(to).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(address: &str) -> [SocketAddr; 1] {
        [address.parse().unwrap()]
    }

    #[test]
    fn loopback_has_more_addresses_for_more_connections() {
        let sources = Sources::new(&[], node("127.0.0.1:80"), 50_000);
        let of = |number| sources.of(number).unwrap().to_string();
        assert_eq!(
            [of(0), of(19_999), of(20_000), of(49_999)],
            ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.4"]
        );
    }

    #[test]
    fn the_kernel_chooses_unless_addresses_are_named() {
        for (address, connections) in
            [("127.0.0.1:80", 20_000), ("10.0.0.1:80", 50_000), ("[::1]:80", 50_000)]
        {
            assert_eq!(Sources::new(&[], node(address), connections).of(0), None);
        }
        let named = ["10.0.0.2".parse().unwrap()];
        assert_eq!(Sources::new(&named, node("10.0.0.1:80"), 1).of(45_000), Some(named[0]));
    }

    #[tokio::test]
    async fn a_connection_comes_from_its_source_address() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = "127.0.0.7".parse().unwrap();
        let _stream = connect(listener.local_addr().unwrap(), Some(source)).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1.ip(), source);
    }
}
