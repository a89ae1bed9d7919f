//! Whether the claims of an envelope are believed. A client of Redis that may publish on a data channel can write an
//! envelope, and name any node as its origin. No I/O, no clock.
//!
//! Invariants:
//! - The payload of a publication is delivered whatever its envelope claims. A claim that is not believed is counted.
//! - Once the registry was read, sequence and time are believed only of the nodes that it listed within the last
//!   [`REMEMBERED`].
//! - A sequence is not believed if its node cannot have come to it since its last one: within [`AT_ONCE`], and
//!   [`PER_SECOND`] for each second in between. A forged sequence within these bounds costs the channel one message:
//!   see [`crate::liveness::sequence`].

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use fanfare_core::{FastHash, Incarnation, Origin};
use parking_lot::Mutex;

/// How long a node is believed after the registry listed it last: its messages may be under way.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Several times the publications in a second that a node was measured at.
const PER_SECOND: u64 = 4_000_000;
/// The most that a node may have published while none of it arrived: a minute at a million a second.
const AT_ONCE: u64 = 1 << 26;
/// A sequence that no node comes to: 35 years at that pace.
const EVER: u64 = 1 << 52;
/// The most nodes that are followed until the registry was read.
const NODES: usize = 1024;

/// The longest time that a publication may have been under way, and how far the clocks may differ.
const OLD: Duration = Duration::from_secs(600);
const AHEAD: Duration = Duration::from_secs(60);

/// Whether a publication can have been published at that time.
pub(crate) fn is_credible(published: Instant, now: Instant) -> bool {
    now.saturating_duration_since(published) <= OLD && published.saturating_duration_since(now) <= AHEAD
}

/// The nodes that the registry listed.
#[derive(Debug, Default)]
pub(crate) struct ListedNodes {
    nodes: Mutex<HashMap<Incarnation, Instant>>,
    /// Changes with the nodes; 0 until the registry was read.
    version: AtomicU64,
}

impl ListedNodes {
    /// The registry lists these nodes now.
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

/// Whether the claims of an envelope are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OriginVerdict {
    /// They are.
    Credible,
    /// The registry does not list the node.
    Unlisted,
    /// The node cannot have come to that sequence.
    Implausible,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct OriginCheck {
    /// This node. It need not be in the registry.
    me: Incarnation,
    version: u64,
    nodes: HashMap<Incarnation, Highest, FastHash>,
}

/// The highest sequence that was believed, and when it came.
#[derive(Debug, Clone, Copy, Default)]
struct Highest(Option<(u64, Instant)>);

impl OriginCheck {
    pub(crate) fn new(me: Incarnation) -> Self {
        Self { me, version: 0, nodes: HashMap::default() }
    }

    /// Takes the nodes that the registry listed since the last time.
    pub(crate) fn update(&mut self, known: &ListedNodes) {
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

    /// Whether the claims of this origin are believed.
    pub(crate) fn check(&mut self, origin: &Origin, now: Instant) -> OriginVerdict {
        if self.version == 0 && self.nodes.len() >= NODES && !self.nodes.contains_key(&origin.node) {
            return OriginVerdict::Credible;
        }
        if self.version == 0 {
            self.nodes.entry(origin.node).or_default();
        }
        let Some(Highest(pace)) = self.nodes.get_mut(&origin.node) else { return OriginVerdict::Unlisted };
        if origin.sequence > EVER {
            return OriginVerdict::Implausible;
        }
        let Some((highest, at)) = pace else {
            *pace = Some((origin.sequence, now));
            return OriginVerdict::Credible;
        };
        if origin.sequence <= *highest {
            return OriginVerdict::Credible;
        }
        let seconds = now.saturating_duration_since(*at).as_secs();
        if origin.sequence - *highest > AT_ONCE.saturating_add(seconds.saturating_mul(PER_SECOND)) {
            return OriginVerdict::Implausible;
        }
        (*highest, *at) = (origin.sequence, now);
        OriginVerdict::Credible
    }

    /// Takes back a higher sequence of this origin, which turned out to be forged.
    pub(crate) fn correct(&mut self, origin: &Origin, now: Instant) {
        if let Some(Highest(pace)) = self.nodes.get_mut(&origin.node) {
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
    fn an_impossible_jump_is_not_believed() {
        let (mut check, now) = (OriginCheck::new(Incarnation(1)), Instant::now());
        assert_eq!(
            check.check(&origin(7, u64::MAX), now),
            OriginVerdict::Implausible,
            "it was not heard before"
        );
        assert_eq!(check.check(&origin(7, 5), now), OriginVerdict::Credible);
        for forged in [u64::MAX, 1 << 62, 1_000_000_000] {
            assert_eq!(check.check(&origin(7, forged), now + SECOND), OriginVerdict::Implausible, "{forged}");
        }
        assert_eq!(check.check(&origin(7, 6), now + SECOND), OriginVerdict::Credible);
        assert_eq!(
            check.check(&origin(7, 1_000_000), now + 2 * SECOND),
            OriginVerdict::Credible,
            "busy on other channels"
        );
        // After so long a silence, a node may have come to it.
        assert_eq!(check.check(&origin(7, 1_000_000_000), now + 600 * SECOND), OriginVerdict::Credible);
    }

    #[test]
    fn unlisted_nodes_are_not_believed() {
        let (mut check, known, now) =
            (OriginCheck::new(Incarnation(1)), ListedNodes::default(), Instant::now());
        check.update(&known);
        assert_eq!(check.check(&origin(9, 1), now), OriginVerdict::Credible, "the registry was not read yet");
        known.read([Incarnation(7)].into_iter(), now);
        check.update(&known);
        let verdicts = |check: &mut OriginCheck| [1, 7, 9].map(|node| check.check(&origin(node, 3), now));
        assert_eq!(
            verdicts(&mut check),
            [OriginVerdict::Credible, OriginVerdict::Credible, OriginVerdict::Unlisted]
        );
        // A node whose entry expired is believed for a while.
        known.read([Incarnation(9)].into_iter(), now + 59 * SECOND);
        check.update(&known);
        assert_eq!(
            verdicts(&mut check),
            [OriginVerdict::Credible, OriginVerdict::Credible, OriginVerdict::Credible]
        );
        known.read([Incarnation(9)].into_iter(), now + 61 * SECOND);
        check.update(&known);
        assert_eq!(
            verdicts(&mut check),
            [OriginVerdict::Credible, OriginVerdict::Unlisted, OriginVerdict::Credible]
        );
    }

    #[test]
    fn without_a_registry_few_nodes_are_followed() {
        let (mut check, now) = (OriginCheck::new(Incarnation(1)), Instant::now());
        for node in 0..10_000 {
            assert_eq!(check.check(&origin(node, 1), now), OriginVerdict::Credible);
        }
        assert_eq!(check.nodes.len(), NODES);
    }

    #[test]
    fn impossible_times_are_not_believed() {
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
