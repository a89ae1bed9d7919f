//! The limits of connections: in all, per client address, and per second.
//!
//! Invariant: a [`Permit`] counts from the moment it is given until it is dropped, however the connection ends. An
//! address without a permit takes no memory.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fanfare_core::{Limit, TokenBucket};
use parking_lot::Mutex;

/// The limits of connections and of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// The maximum of connections.
    pub connections: usize,
    /// The maximum of one client address, with IPv6 of one /64; 0: no maximum of its own.
    pub connections_per_address: usize,
    /// The maximum of new connections per second, all of which may come at once; 0: no maximum.
    pub connections_per_second: usize,
    /// The maximum number of headers of a request.
    pub header_count: usize,
    /// The maximum bytes of a request's header, its first line included.
    pub header_bytes: usize,
    /// How long an HTTP connection may wait for its next request, as each answer announces.
    pub keep_alive: Duration,
}

/// Why a connection is not admitted. Each text names the key of its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// The node has its maximum of connections.
    #[error(
        "this node has as many connections as it may have, {0} (limits.connections): connect again later, or to \
         another node"
    )]
    Connections(usize),
    /// The client's address has its maximum.
    #[error(
        "your address has as many connections as one address may have, {0} (limits.connections_per_address): \
         close one first"
    )]
    PerAddress(usize),
    /// This second has its maximum of new connections.
    #[error(
        "more connections came than the {0} that this node takes each second (limits.connections_per_second): \
         connect again in a moment"
    )]
    PerSecond(usize),
}

impl Full {
    /// The limit.
    pub(crate) fn limit(self) -> Limit {
        match self {
            Self::Connections(_) => Limit::Connections,
            Self::PerAddress(_) => Limit::ConnectionsPerAddress,
            Self::PerSecond(_) => Limit::ConnectionsPerSecond,
        }
    }
}

/// Admits connections, and counts them.
pub(crate) struct Admission {
    open: AtomicUsize,
    addresses: Mutex<HashMap<IpAddr, usize>>,
    rate: Mutex<Rate>,
}

impl Admission {
    pub(crate) fn new(per_second: usize) -> Arc<Self> {
        let rate = Mutex::new(Rate::full(per_second, Instant::now()));
        Arc::new(Self { open: AtomicUsize::new(0), addresses: Mutex::default(), rate })
    }

    /// Admits a connection from this address by these limits. Without a limit per address, addresses are not counted.
    ///
    /// # Errors
    /// A limit is reached.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr, limits: &AdmissionLimits) -> Result<Permit, Full> {
        self.admit_at(address, limits, Instant::now)
    }

    fn admit_at(
        self: &Arc<Self>,
        address: IpAddr,
        limits: &AdmissionLimits,
        now: impl FnOnce() -> Instant,
    ) -> Result<Permit, Full> {
        let AdmissionLimits { connections, connections_per_address, connections_per_second, .. } = *limits;
        // Counted from here on; a drop of the permit ends that.
        let mut permit = Permit { admission: self.clone(), address: None };
        if self.open.fetch_add(1, Ordering::Relaxed) >= connections {
            return Err(Full::Connections(connections));
        }
        if connections_per_address > 0 {
            let address = counted_as(address);
            if !self.count(address, connections_per_address) {
                return Err(Full::PerAddress(connections_per_address));
            }
            permit.address = Some(Box::new(address));
        }
        if connections_per_second > 0 && !self.rate.lock().take(connections_per_second, now()) {
            return Err(Full::PerSecond(connections_per_second));
        }
        Ok(permit)
    }

    fn count(&self, address: IpAddr, most: usize) -> bool {
        let mut addresses = self.addresses.lock();
        let count = addresses.entry(address).or_default();
        let is_free = *count < most;
        if is_free {
            *count += 1;
        }
        is_free
    }

    fn uncount(&self, address: IpAddr) {
        if let Entry::Occupied(mut count) = self.addresses.lock().entry(address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// An admitted connection's share of the limits.
pub(crate) struct Permit {
    admission: Arc<Admission>,
    /// The address, where addresses are counted. Boxed, since mostly they are not.
    address: Option<Box<IpAddr>>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = &self.address {
            self.admission.uncount(**address);
        }
    }
}

/// The address that counts. A client with an IPv6 address mostly has all 2^64 of its /64; an IPv4 address may come as
/// an IPv6 one (RFC 4291 §2.5.5.2).
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// The rate of new connections: a bucket that holds what one second brings.
struct Rate {
    tokens: TokenBucket,
    filled: Instant,
}

impl Rate {
    fn full(per_second: usize, now: Instant) -> Self {
        Self { tokens: TokenBucket::new(per_second), filled: now }
    }

    fn take(&mut self, per_second: usize, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        let size = per_second as f64;
        self.tokens.add(passed * size, size);
        self.filled = self.filled.max(now);
        self.tokens.take(1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn admission(
        connections: usize,
        per_address: usize,
        per_second: usize,
    ) -> (Arc<Admission>, AdmissionLimits) {
        let limits = AdmissionLimits {
            connections,
            connections_per_address: per_address,
            connections_per_second: per_second,
            header_count: 64,
            header_bytes: 16 << 10,
            keep_alive: Duration::from_secs(75),
        };
        (Admission::new(per_second), limits)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_permit_is_given_back_everywhere() {
        let (admission, limits) = admission(3, 2, 0);
        let admit = |address| admission.admit(ip(address), &limits);
        let first = admit("10.0.0.1").unwrap();
        let second = admit("::ffff:10.0.0.1").unwrap();
        assert_eq!(admit("10.0.0.1").err(), Some(Full::PerAddress(2)));
        let other = admit("10.0.0.2").unwrap();
        assert_eq!(admit("10.0.0.2").err(), Some(Full::Connections(3)));
        drop((first, other));
        let third = admit("10.0.0.1").unwrap();
        drop((second, third));
        assert_eq!(admission.open.load(Ordering::Relaxed), 0);
        assert!(admission.addresses.lock().is_empty());
    }

    #[test]
    fn ipv6_is_counted_by_64_bits() {
        let (admission, limits) = admission(9, 1, 0);
        let admit = |address| admission.admit(ip(address), &limits);
        let _held = admit("2001:db8:1:2::1").unwrap();
        assert_eq!(admit("2001:db8:1:2:ffff::9").err(), Some(Full::PerAddress(1)));
        assert!(admit("2001:db8:1:3::1").is_ok());
    }

    #[test]
    fn a_second_brings_its_maximum_and_saves_nothing() {
        let (admission, limits) = admission(100, 0, 2);
        let start = Instant::now();
        let admitted = |after: u64| {
            let now = || start + Duration::from_millis(after);
            (0..9).filter(|_| admission.admit_at(ip("10.0.0.1"), &limits, now).is_ok()).count()
        };
        // The admission was made a moment before.
        assert_eq!(admitted(0), 2);
        assert_eq!(admitted(600), 1);
        assert_eq!(admitted(60_000), 2);
    }
}
