//! The sockets that this node accepted, and what is done when descriptors get short.
//!
//! Invariants
//! - Every accepted socket has a [`Seat`] that lives exactly as long as its descriptor: it is dropped behind the last
//!   half of a socket that was split.
//! - Of the process's descriptors some are kept back ([`room`]) for the broker, for health, metrics and refusals.
//! - While the sockets reach into what is kept back, each new one costs the place of the one that has been waiting
//!   longest for its client to ask for something. So whoever connects and says nothing keeps nobody out, and a
//!   socket whose client asked, or that became a WebSocket, is never given up.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::metrics::{GatewayMetrics, Limit};

/// Descriptors kept back, where the process has that many to spare.
const KEPT: usize = 256;

/// How many connections a process with so many descriptors can hold: all but 256, or half where that is more.
#[must_use]
pub fn room(descriptors: usize) -> usize {
    descriptors.saturating_sub(kept(descriptors))
}

fn kept(descriptors: usize) -> usize {
    KEPT.min(descriptors / 2)
}

/// All sockets of a node's listeners.
pub struct Sockets {
    open: AtomicUsize,
    /// From so many on, those that wait are given up.
    crowded: usize,
    /// From so many on, nothing is accepted.
    full: usize,
    waiting: Mutex<Waiting>,
    metrics: Arc<GatewayMetrics>,
}

#[derive(Default)]
struct Waiting {
    /// The number of the next place.
    next: u64,
    /// By place, and so by age.
    visits: BTreeMap<u64, Arc<Notify>>,
}

impl Sockets {
    /// For a process that may have so many descriptors.
    pub(crate) fn new(descriptors: usize, metrics: Arc<GatewayMetrics>) -> Arc<Self> {
        let (room, kept) = (room(descriptors), kept(descriptors));
        let (crowded, full) = (room + kept / 2, room + kept * 3 / 4);
        Arc::new(Self { open: AtomicUsize::new(0), crowded, full, waiting: Mutex::default(), metrics })
    }

    /// Takes a seat for a socket that was accepted.
    pub(crate) fn take(self: &Arc<Self>) -> Seat {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.crowded {
            self.give_up_oldest();
        }
        Seat(self.clone())
    }

    /// Whether nothing should be accepted for the moment.
    pub(crate) fn is_full(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.full
    }

    fn give_up_oldest(&self) {
        if let Some((_, oldest)) = self.waiting.lock().visits.pop_first() {
            oldest.notify_one();
            self.metrics.limit_hit(Limit::Descriptors);
        }
    }
}

/// One accepted socket's place among the descriptors.
pub struct Seat(Arc<Sockets>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that speaks HTTP: it waits for its client, or its client waits for it.
pub(crate) struct Visit {
    sockets: Arc<Sockets>,
    given_up: Arc<Notify>,
    /// Where it waits; 0 while its client does.
    place: AtomicU64,
}

impl Visit {
    /// One whose client has asked for nothing yet.
    pub(crate) fn new(sockets: &Arc<Sockets>) -> Self {
        let visit = Self { sockets: sockets.clone(), given_up: Arc::default(), place: AtomicU64::default() };
        visit.wait();
        visit
    }

    /// It waits for its client, as the latest.
    pub(crate) fn wait(&self) {
        let mut waiting = self.sockets.waiting.lock();
        waiting.next += 1;
        let place = waiting.next;
        waiting.visits.insert(place, self.given_up.clone());
        self.place.store(place, Ordering::Relaxed);
    }

    /// Its client asked for something.
    pub(crate) fn serve(&self) {
        let place = self.place.swap(0, Ordering::Relaxed);
        if place != 0 {
            self.sockets.waiting.lock().visits.remove(&place);
        }
    }

    /// Ends when it is given up while it waits. Where its client asked for something in that moment, it is not.
    pub(crate) async fn given_up(&self) {
        loop {
            self.given_up.notified().await;
            let place = self.place.load(Ordering::Relaxed);
            if place != 0 && !self.sockets.waiting.lock().visits.contains_key(&place) {
                return;
            }
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.serve();
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    fn sockets(descriptors: usize) -> Arc<Sockets> {
        let metrics = GatewayMetrics::unread();
        Sockets::new(descriptors, Arc::new(metrics))
    }

    #[test]
    fn descriptors_are_kept_back() {
        assert_eq!(room(20_000), 20_000 - 256);
        assert_eq!(room(512), 256);
        assert_eq!(room(100), 50);
        assert_eq!(room(0), 0);
    }

    #[test]
    fn whose_client_asks_in_the_moment_it_would_be_given_up_is_served() {
        let sockets = sockets(100);
        let visit = Visit::new(&sockets);
        let mut given_up = std::pin::pin!(visit.given_up());
        let mut is_given_up = || given_up.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        sockets.give_up_oldest();
        visit.serve();
        assert!(!is_given_up(), "it is served");
        visit.wait();
        sockets.give_up_oldest();
        visit.serve();
        visit.wait();
        assert!(!is_given_up(), "it was served, and is the latest now");
        sockets.give_up_oldest();
        assert!(is_given_up());
    }

    #[tokio::test]
    async fn who_waits_longest_is_given_up_and_who_is_served_never() {
        // Crowded from 75 on, full from 87 on.
        let sockets = sockets(100);
        let mut seats: Vec<Seat> = (0..75).map(|_| sockets.take()).collect();
        let [served, first, second] = [(); 3].map(|()| Visit::new(&sockets));
        served.serve();
        seats.push(sockets.take());
        first.given_up().await;
        second.serve();
        second.wait();
        served.wait();
        seats.push(sockets.take());
        second.given_up().await;
        drop(served);
        assert!(sockets.waiting.lock().visits.is_empty());
        seats.extend((0..10).map(|_| sockets.take()));
        assert!(sockets.is_full());
        drop(seats);
        assert!(!sockets.is_full());
        assert_eq!(sockets.open.load(Ordering::Relaxed), 0);
    }
}
