//! Where other nodes reach the metrics of this one: `node.advertise`, or a guess.
//!
//! | the listener of the metrics | the guess |
//! |---|---|
//! | an address of this machine | that address |
//! | a wildcard (`0.0.0.0`, `[::]`) | the address by which this machine reaches Redis: nodes that share a Redis mostly share its network too, as pods and the services of a Compose file do |
//! | a wildcard, without Redis | none: the node is alone |
//!
//! If there are several listeners, the guess is one that others can reach.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use fanfare_broker::BrokerConfig;
use tokio::net::{UdpSocket, lookup_host};

use crate::ask::{METRICS_PATH, Target};

/// The pause before the name of Redis is resolved again.
const AGAIN: Duration = Duration::from_secs(3);

/// The place of the metrics, perhaps not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Guess {
    /// This URL.
    Known(Target),
    /// This port, at the address by which Redis is reached.
    Towards {
        listener: SocketAddr,
        is_tls: bool,
        redis: (String, u16),
    },
    Nowhere,
}

impl Guess {
    /// The guess for these listeners; those in `tls` speak TLS.
    pub(crate) fn new(
        configured: Option<Target>,
        listeners: &[SocketAddr],
        tls: &[SocketAddr],
        broker: &BrokerConfig,
    ) -> Self {
        if let Some(target) = configured {
            return Self::Known(target);
        }
        // Other nodes do not reach a loopback address, and a certain address is better than a guess.
        let rank = |address: &&SocketAddr| (address.ip().is_loopback(), address.ip().is_unspecified());
        let Some(&listener) = listeners.iter().min_by_key(rank) else { return Self::Nowhere };
        let is_tls = tls.contains(&listener);
        match broker {
            _ if !listener.ip().is_unspecified() => Self::Known(Target::of(listener, is_tls, METRICS_PATH)),
            broker => match broker.servers().first().and_then(|redis| redis.place.endpoint()) {
                Some(redis) => Self::Towards { listener, is_tls, redis: (redis.host.clone(), redis.port) },
                None => Self::Nowhere,
            },
        }
    }

    /// Waits until the URL is known.
    pub(crate) async fn resolve(self) -> Option<Target> {
        match self {
            Self::Known(target) => Some(target),
            Self::Nowhere => None,
            Self::Towards { listener, is_tls, redis } => loop {
                match towards(&redis, listener).await {
                    Ok(ip) => {
                        let address = SocketAddr::new(ip, listener.port());
                        return Some(Target::of(address, is_tls, METRICS_PATH));
                    }
                    Err(error) => {
                        tracing::debug!(%error, "where the metrics are reached is not known yet");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            },
        }
    }
}

/// The address that this machine has towards Redis, in the listener's family. No packet is sent.
async fn towards((host, port): &(String, u16), listener: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr =
        if listener.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let mut last =
        io::Error::new(io::ErrorKind::AddrNotAvailable, "Redis has no address of the listener's family");
    for address in lookup_host((host.as_str(), *port)).await?.filter(|at| at.is_ipv4() == any.is_ipv4()) {
        let socket = UdpSocket::bind((any, 0)).await?;
        match socket.connect(address).await {
            Ok(()) => return Ok(socket.local_addr()?.ip()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(listeners: &[&str], broker: &str) -> Guess {
        let listeners: Vec<SocketAddr> = listeners.iter().map(|address| address.parse().unwrap()).collect();
        let tls: Vec<_> = listeners.iter().copied().filter(|address| address.port() == 443).collect();
        Guess::new(None, &listeners, &tls, &broker.parse().unwrap())
    }

    fn known(url: &str) -> Guess {
        Guess::Known(Target::parse(url, METRICS_PATH).unwrap())
    }

    #[tokio::test]
    async fn the_guess_is_an_address_that_others_reach() {
        assert_eq!(guess(&["127.0.0.1:1", "10.0.0.1:2", "0.0.0.0:3"], "memory"), known("10.0.0.1:2"));
        assert_eq!(guess(&["10.0.0.1:443"], "memory"), known("https://10.0.0.1:443"));
        assert_eq!(guess(&["127.0.0.1:1", "[::1]:1"], "redis://h"), known("127.0.0.1:1"));
        assert_eq!(guess(&["0.0.0.0:3"], "memory"), Guess::Nowhere);
        assert_eq!(guess(&[], "memory"), Guess::Nowhere);
        let towards = guess(&["127.0.0.1:1", "0.0.0.0:3"], "redis://127.0.0.1:7");
        assert_eq!(towards.resolve().await, Some(Target::parse("127.0.0.1:3", METRICS_PATH).unwrap()));
    }

    #[test]
    fn a_configured_address_is_not_guessed() {
        let configured = Target::parse("metrics.example:9000", METRICS_PATH).unwrap();
        let guess = Guess::new(Some(configured.clone()), &[], &[], &BrokerConfig::Memory);
        assert_eq!(guess, Guess::Known(configured));
    }
}
