//! The descriptor budget: how many sockets a node may accept, and which connection goes when descriptors are short.
//!
//! Invariants
//! - Every accepted socket has a [`DescriptorPermit`] that lives exactly as long as its descriptor: it is dropped after
//!   the last half of a socket that was split.
//! - Some descriptors of the process are kept back ([`connections_for`]) for the broker, for health, metrics and
//!   refusals.
//! - While the sockets reach into the reserve, each new socket evicts the connection that has waited longest for its
//!   client's next request. So a client that connects and says nothing keeps no other client out. A connection whose
//!   client asked for something, or that became a WebSocket, is never evicted.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use fanfare_core::Limit;
use fanfare_metrics::LimitHits;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Descriptors that are kept back, where the process has that many to spare.
const RESERVE: usize = 256;

/// The number of connections that a process with this many descriptors can hold: all but 256, or half where that is
/// more.
#[must_use]
pub fn connections_for(descriptors: usize) -> usize {
    descriptors.saturating_sub(reserve(descriptors))
}

fn reserve(descriptors: usize) -> usize {
    RESERVE.min(descriptors / 2)
}

/// The budget of a node's listeners.
pub(crate) struct DescriptorBudget {
    open: AtomicUsize,
    /// From this many sockets on, connections that wait are evicted.
    crowded: usize,
    /// From this many sockets on, nothing is accepted.
    full: usize,
    waiting: Mutex<Waiting>,
    limits_hit: LimitHits,
}

#[derive(Default)]
struct Waiting {
    /// The number of the next place in the line.
    next: u64,
    /// By place, and so by age.
    line: BTreeMap<u64, Arc<Notify>>,
}

impl DescriptorBudget {
    /// The budget of a process that may have this many descriptors.
    pub(crate) fn new(descriptors: usize, limits_hit: LimitHits) -> Arc<Self> {
        let (connections, reserve) = (connections_for(descriptors), reserve(descriptors));
        let (crowded, full) = (connections + reserve / 2, connections + reserve * 3 / 4);
        Arc::new(Self { open: AtomicUsize::new(0), crowded, full, waiting: Mutex::default(), limits_hit })
    }

    /// The permit of a socket that was accepted.
    pub(crate) fn take(self: &Arc<Self>) -> DescriptorPermit {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.crowded {
            self.evict_oldest();
        }
        DescriptorPermit(self.clone())
    }

    /// Whether nothing may be accepted for the moment.
    pub(crate) fn is_full(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.full
    }

    fn evict_oldest(&self) {
        if let Some((_, oldest)) = self.waiting.lock().line.pop_first() {
            oldest.notify_one();
            self.limits_hit.hit(Limit::Descriptors);
        }
    }
}

/// One accepted socket's share of the budget.
pub(crate) struct DescriptorPermit(Arc<DescriptorBudget>);

impl Drop for DescriptorPermit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An HTTP connection, which may be evicted while it waits for its client.
pub(crate) struct Evictable {
    budget: Arc<DescriptorBudget>,
    evicted: Arc<Notify>,
    /// Its place in the line; 0 while the client waits for an answer.
    place: AtomicU64,
}

impl Evictable {
    /// A connection whose client has asked for nothing yet.
    pub(crate) fn new(budget: &Arc<DescriptorBudget>) -> Self {
        let connection =
            Self { budget: budget.clone(), evicted: Arc::default(), place: AtomicU64::default() };
        connection.wait();
        connection
    }

    /// The connection waits for its client, at the end of the line.
    pub(crate) fn wait(&self) {
        let mut waiting = self.budget.waiting.lock();
        waiting.next += 1;
        let place = waiting.next;
        waiting.line.insert(place, self.evicted.clone());
        self.place.store(place, Ordering::Relaxed);
    }

    /// The client asked for something.
    pub(crate) fn serve(&self) {
        let place = self.place.swap(0, Ordering::Relaxed);
        if place != 0 {
            self.budget.waiting.lock().line.remove(&place);
        }
    }

    /// Ends when the connection is evicted while it waits; not where its client asked for something in that moment.
    pub(crate) async fn evicted(&self) {
        loop {
            self.evicted.notified().await;
            let place = self.place.load(Ordering::Relaxed);
            if place != 0 && !self.budget.waiting.lock().line.contains_key(&place) {
                return;
            }
        }
    }
}

impl Drop for Evictable {
    fn drop(&mut self) {
        self.serve();
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    fn budget(descriptors: usize) -> Arc<DescriptorBudget> {
        let limits_hit = LimitHits::register(&prometheus::Registry::new()).unwrap();
        DescriptorBudget::new(descriptors, limits_hit)
    }

    #[test]
    fn some_descriptors_are_kept_back() {
        assert_eq!(connections_for(20_000), 20_000 - 256);
        assert_eq!(connections_for(512), 256);
        assert_eq!(connections_for(100), 50);
        assert_eq!(connections_for(0), 0);
    }

    #[test]
    fn a_request_at_the_last_moment_prevents_eviction() {
        let budget = budget(100);
        let connection = Evictable::new(&budget);
        let mut evicted = std::pin::pin!(connection.evicted());
        let mut is_evicted = || evicted.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        budget.evict_oldest();
        connection.serve();
        assert!(!is_evicted(), "it is served");
        connection.wait();
        budget.evict_oldest();
        connection.serve();
        connection.wait();
        assert!(!is_evicted(), "it was served, and is the latest now");
        budget.evict_oldest();
        assert!(is_evicted());
    }

    #[tokio::test]
    async fn the_longest_wait_is_evicted_first() {
        // Crowded from 75 on, full from 87 on.
        let budget = budget(100);
        let mut permits: Vec<DescriptorPermit> = (0..75).map(|_| budget.take()).collect();
        let [served, first, second] = [(); 3].map(|()| Evictable::new(&budget));
        served.serve();
        permits.push(budget.take());
        first.evicted().await;
        second.serve();
        second.wait();
        served.wait();
        permits.push(budget.take());
        second.evicted().await;
        drop(served);
        assert!(budget.waiting.lock().line.is_empty());
        permits.extend((0..10).map(|_| budget.take()));
        assert!(budget.is_full());
        drop(permits);
        assert!(!budget.is_full());
        assert_eq!(budget.open.load(Ordering::Relaxed), 0);
    }
}
