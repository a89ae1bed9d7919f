//! Whom and what of an envelope is believed. Whoever may publish on a data channel can write an envelope, and name in
//! it any node as its origin. No I/O, no clock.
//!
//! Invariants:
//! - A publication's payload is delivered whatever its envelope claims; a claim that is not believed is counted.
//! - Once the registry was read, only the nodes that it named within the last [`REMEMBERED`] have a say in the sequence
//!   and in the time.
//! - A sequence is not believed that its node cannot have come to since its last one: [`AT_ONCE`], and [`PER_SECOND`]
//!   for each second in between. What is forged below that costs the channel a message at most: see [`crate::liveness::sequence`].

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use fanfare_core::{Incarnation, Origin};
use parking_lot::Mutex;

/// How long a node is known after the registry named it last: what it sent may be under way.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Several times what a node was measured to publish in a second.
const PER_SECOND: u64 = 4_000_000;
/// What a node may have published while what came of it stood still: a minute at a million a second.
const AT_ONCE: u64 = 1 << 26;
/// What no node comes to in its life: 35 years at that pace.
const EVER: u64 = 1 << 52;
/// How many nodes are followed while the registry was not read.
const NODES: usize = 1024;

/// How long a publication may have been under way, and how far the clocks may be apart.
const OLD: Duration = Duration::from_secs(600);
const AHEAD: Duration = Duration::from_secs(60);

/// Whether a publication may have been published at that time.
pub(crate) fn is_credible(published: Instant, now: Instant) -> bool {
    now.saturating_duration_since(published) <= OLD && published.saturating_duration_since(now) <= AHEAD
}

/// The nodes that the registry named, for those who believe them.
#[derive(Debug, Default)]
pub(crate) struct Known {
    nodes: Mutex<HashMap<Incarnation, Instant>>,
    /// Changes with them; 0 while the registry was not read.
    version: AtomicU64,
}

impl Known {
    /// The registry names these nodes now.
    pub(crate) fn read(&self, nodes: impl Iterator<Item = Incarnation>, now: Instant) {
        let mut known = self.nodes.lock();
        let before = known.len();
        known.retain(|_, named| now.saturating_duration_since(*named) < REMEMBERED);
        let mut is_changed = known.len() != before || self.version.load(Ordering::Relaxed) == 0;
        for node in nodes {
            is_changed |= known.insert(node, now).is_none();
        }
        if is_changed {
            self.version.fetch_add(1, Ordering::Release);
        }
    }
}

/// Whether an origin has a say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Say {
    /// It has.
    Yes,
    /// The registry does not know it.
    Stranger,
    /// Its node cannot have come to that sequence.
    Beyond,
}

/// What is believed of each node.
#[derive(Debug)]
pub(crate) struct Trust {
    /// This node, which need not be in the registry.
    me: Incarnation,
    version: u64,
    nodes: HashMap<Incarnation, Pace>,
}

/// The highest sequence that was believed, and when.
#[derive(Debug, Clone, Copy, Default)]
struct Pace(Option<(u64, Instant)>);

impl Trust {
    pub(crate) fn new(me: Incarnation) -> Self {
        Self { me, version: 0, nodes: HashMap::new() }
    }

    /// Takes what the registry named since the last time.
    pub(crate) fn learn(&mut self, known: &Known) {
        let version = known.version.load(Ordering::Acquire);
        if version == self.version {
            return;
        }
        self.version = version;
        let named = known.nodes.lock();
        self.nodes.retain(|node, _| *node == self.me || named.contains_key(node));
        for node in named.keys().chain([&self.me]) {
            self.nodes.entry(*node).or_default();
        }
    }

    /// Whether this origin has a say.
    pub(crate) fn asks(&mut self, origin: &Origin, now: Instant) -> Say {
        if self.version == 0 && self.nodes.len() >= NODES && !self.nodes.contains_key(&origin.node) {
            return Say::Yes;
        }
        if self.version == 0 {
            self.nodes.entry(origin.node).or_default();
        }
        let Some(Pace(pace)) = self.nodes.get_mut(&origin.node) else { return Say::Stranger };
        if origin.sequence > EVER {
            return Say::Beyond;
        }
        let Some((highest, at)) = pace else {
            *pace = Some((origin.sequence, now));
            return Say::Yes;
        };
        if origin.sequence <= *highest {
            return Say::Yes;
        }
        let seconds = now.saturating_duration_since(*at).as_secs();
        if origin.sequence - *highest > AT_ONCE.saturating_add(seconds.saturating_mul(PER_SECOND)) {
            return Say::Beyond;
        }
        (*highest, *at) = (origin.sequence, now);
        Say::Yes
    }

    /// A higher sequence of this origin turned out to be forged.
    pub(crate) fn corrects(&mut self, origin: &Origin, now: Instant) {
        if let Some(Pace(pace)) = self.nodes.get_mut(&origin.node) {
            *pace = Some((origin.sequence, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn origin(node: u64, sequence: u64) -> Origin {
        Origin { node: Incarnation(node), session: None, sequence }
    }

    #[test]
    fn a_jump_that_no_node_can_make_is_not_believed() {
        let (mut trust, now) = (Trust::new(Incarnation(1)), Instant::now());
        assert_eq!(trust.asks(&origin(7, u64::MAX), now), Say::Beyond, "it was not heard before");
        assert_eq!(trust.asks(&origin(7, 5), now), Say::Yes);
        for forged in [u64::MAX, 1 << 62, 1_000_000_000] {
            assert_eq!(trust.asks(&origin(7, forged), now + SECOND), Say::Beyond, "{forged}");
        }
        assert_eq!(trust.asks(&origin(7, 6), now + SECOND), Say::Yes);
        assert_eq!(trust.asks(&origin(7, 1_000_000), now + 2 * SECOND), Say::Yes, "busy on other channels");
        // So long a silence, and a node may have come to it.
        assert_eq!(trust.asks(&origin(7, 1_000_000_000), now + 600 * SECOND), Say::Yes);
    }

    #[test]
    fn once_the_registry_was_read_strangers_have_no_say() {
        let (mut trust, known, now) = (Trust::new(Incarnation(1)), Known::default(), Instant::now());
        trust.learn(&known);
        assert_eq!(trust.asks(&origin(9, 1), now), Say::Yes, "nobody knows yet who is there");
        known.read([Incarnation(7)].into_iter(), now);
        trust.learn(&known);
        let says = |trust: &mut Trust| [1, 7, 9].map(|node| trust.asks(&origin(node, 3), now));
        assert_eq!(says(&mut trust), [Say::Yes, Say::Yes, Say::Stranger]);
        // A node whose entry expired is known for a while.
        known.read([Incarnation(9)].into_iter(), now + 59 * SECOND);
        trust.learn(&known);
        assert_eq!(says(&mut trust), [Say::Yes, Say::Yes, Say::Yes]);
        known.read([Incarnation(9)].into_iter(), now + 61 * SECOND);
        trust.learn(&known);
        assert_eq!(says(&mut trust), [Say::Yes, Say::Stranger, Say::Yes]);
    }

    #[test]
    fn while_the_registry_was_not_read_only_so_many_nodes_are_followed() {
        let (mut trust, now) = (Trust::new(Incarnation(1)), Instant::now());
        for node in 0..10_000 {
            assert_eq!(trust.asks(&origin(node, 1), now), Say::Yes);
        }
        assert_eq!(trust.nodes.len(), NODES);
    }

    #[test]
    fn times_beyond_reason_are_not_believed() {
        let now = Instant::now() + 10 * OLD;
        for (published, credible) in [
            (now, true),
            (now - 500 * SECOND, true),
            (now - 700 * SECOND, false),
            (now + 30 * SECOND, true),
            (now + 90 * SECOND, false),
        ] {
            assert_eq!(is_credible(published, now), credible);
        }
    }
}
