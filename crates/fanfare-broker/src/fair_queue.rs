//! The publications that wait, and the next one to leave.
//!
//! Invariants:
//! - The publications of one publisher leave in the order in which they came.
//! - While both wait, those of the server (the HTTP API, control messages) and those of sessions leave by turns. So the
//!   server has half of the capacity, however many sessions wait.
//! - Sessions have equal shares of the rest, in bytes, by start-time fair queueing (Goyal, Vin and Cheng, 1996). The
//!   more a session has waiting already, the later the turn of its next publication. So a session that has nothing
//!   waiting is next, behind at most one publication of each other session.
//! - The queue has no bound of its own: see [`Broker::publish`](fanfare_core::Broker::publish).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fanfare_core::broker::PublishOrder;
use tokio::time::Instant;

/// The bytes that a waiting publication counts beside its payload.
pub(crate) const OVERHEAD: usize = 256;

/// A publication that waits.
pub(crate) trait Waiting {
    /// Its publish order; `None` for the server.
    fn order(&self) -> Option<&PublishOrder>;

    /// Its cost, in bytes: more than 0.
    fn cost(&self) -> usize;

    /// When it was handed over.
    fn since(&self) -> Instant;
}

impl<T: Waiting> Waiting for Box<T> {
    fn order(&self) -> Option<&PublishOrder> {
        T::order(self)
    }

    fn cost(&self) -> usize {
        T::cost(self)
    }

    fn since(&self) -> Instant {
        T::since(self)
    }
}

/// The turn of a publication that waits, and its number.
type Place = (u64, u64);

/// The present turn. Queues that share the publish orders of a node share it too: else a publish order that had its turns
/// in a busy queue would wait for long in one that was idle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<AtomicU64>);

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    server: VecDeque<T>,
    sessions: BTreeMap<Place, T>,
    /// The places of `sessions` in the order in which they came. Some of them have left.
    order: VecDeque<Place>,
    /// The number of those that came so far.
    arrived: u64,
    turns: Turns,
    /// Whether the next one is of a session, if one waits.
    is_sessions_turn: bool,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            server: VecDeque::new(),
            sessions: BTreeMap::new(),
            order: VecDeque::new(),
            arrived: 0,
            turns: Turns::default(),
            is_sessions_turn: false,
        }
    }
}

impl<T: Waiting> FairQueue<T> {
    /// A queue beside others.
    pub(crate) fn beside(turns: Turns) -> Self {
        Self { turns, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.server.len() + self.sessions.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.server.is_empty() && self.sessions.is_empty()
    }

    /// Takes one more.
    pub(crate) fn push(&mut self, item: T) {
        let Some(order) = item.order() else { return self.server.push_back(item) };
        self.arrived += 1;
        let place = (order.take_turn(self.turns.0.load(Ordering::Relaxed), item.cost() as u64), self.arrived);
        self.order.push_back(place);
        self.sessions.insert(place, item);
        if self.order.len() > 2 * self.sessions.len() + 64 {
            self.order.retain(|place| self.sessions.contains_key(place));
        }
    }

    /// The next one.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let is_sessions = self.server.is_empty() || self.is_sessions_turn && !self.sessions.is_empty();
        self.is_sessions_turn = !is_sessions;
        if !is_sessions {
            return self.server.pop_front();
        }
        let ((turn, _), item) = self.sessions.pop_first()?;
        self.turns.0.fetch_max(turn, Ordering::Relaxed);
        Some(item)
    }

    /// When the one that waits longest was handed over.
    pub(crate) fn oldest(&mut self) -> Option<Instant> {
        let session = self.oldest_of_sessions().and_then(|place| self.sessions.get(&place));
        session.into_iter().chain(self.server.front()).map(T::since).min()
    }

    /// One that was handed over at that time or before, those of the server first.
    pub(crate) fn pop_older(&mut self, then: Instant) -> Option<T> {
        if let Some(item) = self.server.pop_front_if(|item| item.since() <= then) {
            return Some(item);
        }
        let place = self.oldest_of_sessions()?;
        self.sessions.get(&place).filter(|item| item.since() <= then)?;
        self.sessions.remove(&place)
    }

    /// Takes out those of sessions for which `is_meant` holds.
    pub(crate) fn take_if(&mut self, mut is_meant: impl FnMut(&T) -> bool) -> Vec<T> {
        self.sessions.extract_if(.., |_, item| is_meant(item)).map(|(_, item)| item).collect()
    }

    /// All of them.
    pub(crate) fn into_all(self) -> impl Iterator<Item = T> {
        self.server.into_iter().chain(self.sessions.into_values())
    }

    fn oldest_of_sessions(&mut self) -> Option<Place> {
        while self.order.pop_front_if(|place| !self.sessions.contains_key(place)).is_some() {}
        self.order.front().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    #[derive(Debug, Clone)]
    struct Item {
        name: String,
        order: Option<Arc<PublishOrder>>,
        cost: usize,
        since: Instant,
    }

    impl Waiting for Item {
        fn order(&self) -> Option<&PublishOrder> {
            self.order.as_deref()
        }

        fn cost(&self) -> usize {
            self.cost
        }

        fn since(&self) -> Instant {
            self.since
        }
    }

    struct Publisher {
        name: &'static str,
        order: Option<Arc<PublishOrder>>,
        sent: usize,
    }

    impl Publisher {
        fn session(name: &'static str) -> Self {
            Self { name, order: Some(Arc::default()), sent: 0 }
        }

        fn server() -> Self {
            Self { name: "api", order: None, sent: 0 }
        }

        fn sends(&mut self, fair: &mut FairQueue<Item>, count: usize, cost: usize) {
            for _ in 0..count {
                let name = format!("{}{}", self.name, self.sent);
                fair.push(Item { name, order: self.order.clone(), cost, since: Instant::now() });
                self.sent += 1;
            }
        }
    }

    fn leave(fair: &mut FairQueue<Item>, count: usize) -> Vec<String> {
        std::iter::from_fn(|| fair.pop()).take(count).map(|item| item.name).collect()
    }

    #[test]
    fn an_idle_session_is_next() {
        let mut fair = FairQueue::default();
        let [mut a, mut b, mut c] = ["a", "b", "c"].map(Publisher::session);
        a.sends(&mut fair, 100, 10);
        b.sends(&mut fair, 100, 10);
        assert_eq!(leave(&mut fair, 4), ["a0", "b0", "a1", "b1"]);
        c.sends(&mut fair, 2, 10);
        assert_eq!(leave(&mut fair, 5), ["c0", "a2", "b2", "c1", "a3"]);
        c.sends(&mut fair, 1, 10);
        assert_eq!(leave(&mut fair, 3), ["b3", "c2", "a4"]);
    }

    #[test]
    fn a_session_that_comes_again_starves_no_other() {
        let mut fair = FairQueue::default();
        let [mut many, mut again] = ["m", "a"].map(Publisher::session);
        many.sends(&mut fair, 10, 10);
        let mut left = Vec::new();
        for _ in 0..20 {
            again.sends(&mut fair, 1, 10);
            left.extend(leave(&mut fair, 2));
        }
        assert!(left.iter().filter(|name| name.starts_with('m')).count() == 10, "{left:?}");
    }

    #[test]
    fn sessions_share_bytes_and_not_messages() {
        let mut fair = FairQueue::default();
        let [mut large, mut small] = ["l", "s"].map(Publisher::session);
        large.sends(&mut fair, 10, 100);
        small.sends(&mut fair, 100, 10);
        let left = leave(&mut fair, 44);
        let larges = left.iter().filter(|name| name.starts_with('l')).count();
        assert_eq!(larges, 4, "{left:?}");
    }

    #[test]
    fn the_server_has_half_of_the_turns() {
        let mut fair = FairQueue::default();
        let mut server = Publisher::server();
        for _ in 0..50 {
            Publisher::session("s").sends(&mut fair, 10, 10);
        }
        server.sends(&mut fair, 3, 1000);
        assert_eq!(leave(&mut fair, 6), ["api0", "s0", "api1", "s0", "api2", "s0"]);
        assert_eq!(leave(&mut fair, 2), ["s0", "s0"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_wait_is_found() {
        let mut fair = FairQueue::default();
        let [mut a, mut b] = ["a", "b"].map(Publisher::session);
        let start = Instant::now();
        a.sends(&mut fair, 3, 10);
        tokio::time::advance(Duration::from_secs(1)).await;
        b.sends(&mut fair, 1, 1);
        assert_eq!(leave(&mut fair, 2), ["a0", "b0"]);
        assert_eq!(fair.oldest(), Some(start));
        tokio::time::advance(Duration::from_secs(1)).await;
        let mut server = Publisher::server();
        server.sends(&mut fair, 1, 10);
        b.sends(&mut fair, 1, 10);
        let older = std::iter::from_fn(|| fair.pop_older(start + Duration::from_secs(1)));
        assert_eq!(older.map(|item| item.name).collect::<Vec<_>>(), ["a1", "a2"]);
        assert_eq!((fair.oldest(), fair.len()), (Some(start + Duration::from_secs(2)), 2));
    }

    #[test]
    fn places_that_left_are_forgotten() {
        let mut fair = FairQueue::default();
        let mut old = Publisher::session("old");
        old.sends(&mut fair, 2, 1_000_000_000);
        leave(&mut fair, 1);
        for _ in 0..10_000 {
            Publisher::session("a").sends(&mut fair, 1, 10);
            leave(&mut fair, 1);
        }
        assert!(fair.order.len() <= 68, "{}", fair.order.len());
        assert_eq!(leave(&mut fair, 1), ["old1"]);
    }
}
