//! Interest: the channels that sessions of this node have joined, or wait to join.
//!
//! Invariant: the broker is subscribed to a channel as long as a session is interested. Its calls for one channel are
//! made under one lock, in the order in which sessions came and went. As long, a channel with history has a tail.

use std::{collections::HashMap, sync::Arc};

use fanfare_core::{Broker, Channel, broker::SubscribeFuture};
use parking_lot::Mutex;

use crate::delivery::dispatcher::Dispatcher;

/// The number of interested sessions of each channel.
pub(crate) struct Interest {
    broker: Arc<dyn Broker>,
    dispatcher: Arc<Dispatcher>,
    sessions: Mutex<HashMap<Channel, usize>>,
}

/// One session's interest in a channel, released when dropped unless it is kept.
pub(crate) struct InterestGuard {
    interest: Arc<Interest>,
    channel: Channel,
    is_kept: bool,
}

impl Interest {
    pub(crate) fn new(broker: Arc<dyn Broker>, dispatcher: Arc<Dispatcher>) -> Self {
        Self { broker, dispatcher, sessions: Mutex::default() }
    }

    /// Adds a session. The future ends once the broker confirmed the channel.
    pub(crate) fn acquire(self: &Arc<Self>, channel: &Channel) -> (InterestGuard, SubscribeFuture) {
        let mut sessions = self.sessions.lock();
        // All sessions of a channel share one string.
        let channel = sessions.get_key_value(channel).map_or(channel, |(shared, _)| shared).clone();
        *sessions.entry(channel.clone()).or_insert(0) += 1;
        // Before the broker is asked: what comes as soon as it has confirmed waits there.
        self.dispatcher.begin_tail(&channel);
        let confirmed = self.broker.subscribe(&channel);
        (InterestGuard { interest: self.clone(), channel, is_kept: false }, confirmed)
    }

    /// Removes a session whose guard was kept.
    pub(crate) fn release(&self, channel: &Channel) {
        let mut sessions = self.sessions.lock();
        let Some(count) = sessions.get_mut(channel) else { return };
        *count -= 1;
        if *count == 0 {
            sessions.remove(channel);
            self.broker.unsubscribe(channel);
            self.dispatcher.end_tail(channel);
        }
    }
}

impl InterestGuard {
    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Passes the interest to the session that joined, which releases it.
    pub(crate) fn keep(mut self) -> Channel {
        self.is_kept = true;
        self.channel.clone()
    }
}

impl Drop for InterestGuard {
    fn drop(&mut self) {
        if !self.is_kept {
            self.interest.release(&self.channel);
        }
    }
}
