//! The idempotency keys of the last [`IDEMPOTENCY_TTL`], and what became of their publishes. No I/O, no clock.
//!
//! Invariants:
//! - A key is remembered for as long as it promises. Where too many would have to be, no further publish with a key is
//!   taken.
//! - A key is one of its channel: the same key in another channel is another.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use fanfare_core::{Channel, Position, broker::IDEMPOTENCY_TTL};
use tokio::time::Instant;

/// The most bytes of all keys.
const MAX_BYTES: usize = 64 << 20;
/// The bytes that a key counts beside its own.
const OVERHEAD: usize = 256;

/// Why a publish is refused where no further key can be remembered.
pub(super) const FULL: &str = "the idempotency keys of the last five minutes fill the memory that they may have: publish it without a key, or later";

type Key = (Channel, String);

/// See the head of this file.
#[derive(Default)]
pub(super) struct Keys {
    taken: HashMap<Arc<Key>, Option<Position>>,
    /// The keys, the oldest first, each with its end.
    order: VecDeque<(Instant, Arc<Key>)>,
    bytes: usize,
}

impl Keys {
    /// The position of the publish that was taken with this key, if one was.
    pub(super) fn find(&mut self, key: &Key, now: Instant) -> Option<Option<Position>> {
        self.drop_expired(now);
        self.taken.get(key).copied()
    }

    /// Whether no further key can be remembered.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MAX_BYTES
    }

    /// A publish with this key was taken.
    pub(super) fn took(&mut self, key: Key, position: Option<Position>, now: Instant) {
        self.bytes += cost(&key);
        let key = Arc::new(key);
        self.order.push_back((now + IDEMPOTENCY_TTL, key.clone()));
        self.taken.insert(key, position);
    }

    /// Forgets the keys whose time is over.
    pub(super) fn drop_expired(&mut self, now: Instant) {
        while let Some((_, key)) = self.order.pop_front_if(|(end, _)| *end <= now) {
            self.bytes -= cost(&key);
            self.taken.remove(&key);
        }
    }
}

fn cost((channel, key): &Key) -> usize {
    channel.as_str().len() + key.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use fanfare_core::Epoch;

    use super::*;

    #[test]
    fn a_key_ends_with_its_time() {
        let (mut keys, now) = (Keys::default(), Instant::now());
        let key = |channel, key: &str| (Channel::new(channel).unwrap(), key.to_owned());
        let position = Some(Position { epoch: Epoch(1), offset: 1 });
        keys.took(key("a", "k"), position, now);
        keys.took(key("a", "l"), None, now + IDEMPOTENCY_TTL / 2);
        assert_eq!(keys.find(&key("a", "k"), now), Some(position));
        assert_eq!(keys.find(&key("a", "l"), now), Some(None));
        assert_eq!(keys.find(&key("b", "k"), now), None);
        assert_eq!(keys.find(&key("a", "k"), now + IDEMPOTENCY_TTL), None);
        assert_eq!(keys.find(&key("a", "l"), now + IDEMPOTENCY_TTL), Some(None));
        keys.drop_expired(now + 2 * IDEMPOTENCY_TTL);
        assert!(keys.taken.is_empty() && keys.order.is_empty() && keys.bytes == 0);
    }
}
