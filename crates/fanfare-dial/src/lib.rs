//! TCP connections to a host by its name, as RFC 8305 ("happy eyeballs") has it. For every client connection of ours;
//! redis and hyper-util have their own ways to the same end.
//!
//! Invariants:
//! - An address that does not answer delays the next one by [`DELAY`] at most; one that fails does not delay it.
//! - The first connection that stands is taken. All other attempts end then, and so they do where the caller gives up:
//!   its bound on time is the only one.

use std::{io, net::SocketAddr, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    net::{TcpStream, lookup_host},
    time::sleep,
};

/// How long an attempt goes on alone before the next address is tried too (RFC 8305, section 5).
pub const DELAY: Duration = Duration::from_millis(250);

/// Connects to the host's first address that answers. The families take turns, beginning with the one that the
/// system prefers.
///
/// # Errors
/// The name is not resolved, or no address takes the connection: then the error of the address that failed first.
pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = lookup_host((host, port)).await?.collect();
    first(interleaved(addresses), TcpStream::connect).await
}

/// The addresses with their families in turns (RFC 8305, section 4). Within a family the order stays.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == preferred);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::with_capacity(first.len() + second.len());
    while first.len() + second.len() > 0 {
        turns.extend(first.next());
        turns.extend(second.next());
    }
    turns
}

/// The first connection that stands.
async fn first<T, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failed = None;
    loop {
        match waiting.next() {
            Some(address) => attempts.push(connect(address)),
            None if attempts.is_empty() => return Err(failed.unwrap_or_else(no_address)),
            None => {}
        }
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(connected) => return Ok(connected),
                Err(error) => { failed.get_or_insert(error); }
            },
            () = sleep(DELAY), if waiting.len() > 0 => {}
        }
    }
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the host has no address")
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, net::Ipv6Addr};

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn families_take_turns_beginning_with_the_preferred_one() {
        let [a, b, c] = ["[::1]:1", "[::2]:1", "[::3]:1"].map(address);
        let [x, y] = ["1.1.1.1:1", "2.2.2.2:1"].map(address);
        assert_eq!(interleaved(vec![a, b, c, x, y]), [a, x, b, y, c]);
        assert_eq!(interleaved(vec![x, a, y, b]), [x, a, y, b]);
        assert_eq!(interleaved(vec![b, a]), [b, a]);
        assert_eq!(interleaved(vec![]), []);
    }

    /// Which addresses were tried, where some answer nothing, some refuse, and the others connect.
    async fn tried(
        addresses: &[&str],
        silent: &[&str],
        refusing: &[&str],
    ) -> (io::Result<String>, Vec<String>) {
        let tried = RefCell::new(Vec::new());
        let attempt = |address: SocketAddr| {
            let name = address.ip().to_string();
            tried.borrow_mut().push(name.clone());
            let (silent, refuses) = (silent.contains(&&*name), refusing.contains(&&*name));
            async move {
                match (silent, refuses) {
                    (true, _) => std::future::pending().await,
                    (_, true) => Err(io::Error::new(io::ErrorKind::ConnectionRefused, name)),
                    _ => Ok(name),
                }
            }
        };
        let addresses = addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 1)).collect();
        let connected = first(addresses, attempt).await;
        (connected, tried.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn silent_and_refusing_addresses_are_passed_by() {
        let all = ["::1", "1.1.1.1", "::2", "2.2.2.2"];
        let (connected, tried) = tried(&all, &["::1"], &["1.1.1.1"]).await;
        assert_eq!(connected.unwrap(), "::2");
        assert_eq!(tried, all[..3], "no more than it takes");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_failure_is_told_where_all_fail() {
        let (failed, tried) = tried(&["::1", "1.1.1.1"], &[], &["::1", "1.1.1.1"]).await;
        assert_eq!(failed.unwrap_err().to_string(), "::1");
        assert_eq!(tried.len(), 2);
        let (failed, _) = self::tried(&[], &[], &[]).await;
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    /// A listener whose queue is full: the kernel drops what else wants to connect.
    async fn full() -> (SocketAddr, impl Sized) {
        let socket = TcpSocket::new_v6().unwrap();
        socket.bind(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0)).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = TcpStream::connect(address).await.unwrap();
        (address, (listener, waiting))
    }

    #[tokio::test]
    async fn a_real_silent_address_is_passed_by() {
        let (full, _kept) = full().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connected = first(vec![full, address], TcpStream::connect).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn a_host_is_reached_by_its_name() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connected = connect("localhost", port).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap().port(), port);
    }
}
