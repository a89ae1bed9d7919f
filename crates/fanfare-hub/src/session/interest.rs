//! Which channels the sessions of this node hold, or wait for.
//!
//! Invariant: the broker is asked for a channel as long as somebody holds it; its calls for one channel are made under
//! one lock, in the order in which holders came and went.

use std::{collections::HashMap, sync::Arc};

use fanfare_core::{Broker, Channel, broker::SubscribeFuture};
use parking_lot::Mutex;

/// How many sessions hold each channel.
pub(crate) struct Interest {
    broker: Arc<dyn Broker>,
    holders: Mutex<HashMap<Channel, usize>>,
}

/// One session's claim on a channel, given up when dropped unless it is kept.
pub(crate) struct InterestGuard<'a> {
    interest: &'a Interest,
    channel: Channel,
    is_kept: bool,
}

impl Interest {
    pub(crate) fn new(broker: Arc<dyn Broker>) -> Self {
        Self { broker, holders: Mutex::default() }
    }

    /// One more; the future ends once the broker confirmed the channel.
    pub(crate) fn acquire(&self, channel: &Channel) -> (InterestGuard<'_>, SubscribeFuture) {
        let mut holders = self.holders.lock();
        // One string for all who hold the channel.
        let channel = holders.get_key_value(channel).map_or(channel, |(shared, _)| shared).clone();
        *holders.entry(channel.clone()).or_insert(0) += 1;
        let confirmed = self.broker.subscribe(&channel);
        (InterestGuard { interest: self, channel, is_kept: false }, confirmed)
    }

    /// One less, of those that were kept.
    pub(crate) fn release(&self, channel: &Channel) {
        let mut holders = self.holders.lock();
        let Some(count) = holders.get_mut(channel) else { return };
        *count -= 1;
        if *count == 0 {
            holders.remove(channel);
            self.broker.unsubscribe(channel);
        }
    }
}

impl InterestGuard<'_> {
    /// The claim passes to the session that joined, which releases it.
    pub(crate) fn keep(mut self) -> Channel {
        self.is_kept = true;
        self.channel.clone()
    }
}

impl Drop for InterestGuard<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.interest.release(&self.channel);
        }
    }
}
