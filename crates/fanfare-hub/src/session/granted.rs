//! The grants of tokens to the subscriptions of one session.

use std::{collections::HashMap, time::SystemTime};

use bytes::Bytes;
use fanfare_core::{Channel, identity::SubscriptionGrant};
use parking_lot::Mutex;

/// The grant of a token to one subscription, beside the subscription itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grant {
    /// Information about the subscription for other clients.
    pub(crate) info: Option<Bytes>,
    /// When the token expires; `None`: never.
    pub(crate) expires_at: Option<SystemTime>,
}

/// The grants of one session, by channel.
#[derive(Default)]
pub(crate) struct Granted(Mutex<HashMap<Channel, Grant>>);

impl From<SubscriptionGrant> for Grant {
    fn from(grant: SubscriptionGrant) -> Self {
        Self { info: grant.info, expires_at: grant.expires_at }
    }
}

impl Granted {
    pub(crate) fn insert(&self, channel: Channel, grant: Grant) {
        self.0.lock().insert(channel, grant);
    }

    /// Forgets the grant of a channel. The memory of the last one is given back.
    pub(crate) fn remove(&self, channel: &Channel) {
        let mut grants = self.0.lock();
        if grants.remove(channel).is_some() && grants.is_empty() {
            *grants = HashMap::new();
        }
    }

    /// The information about a subscription.
    pub(crate) fn info(&self, channel: &Channel) -> Option<Bytes> {
        self.0.lock().get(channel)?.info.clone()
    }

    /// A later token says when a subscription ends.
    pub(crate) fn extend(&self, channel: &Channel, expires_at: Option<SystemTime>) {
        self.0.lock().entry(channel.clone()).or_default().expires_at = expires_at;
    }

    /// When the first of them expires.
    pub(crate) fn next_expiry(&self) -> Option<SystemTime> {
        self.0.lock().values().filter_map(|grant| grant.expires_at).min()
    }

    /// The channels whose tokens expired at this time or before.
    pub(crate) fn expired(&self, by: SystemTime) -> Vec<Channel> {
        let grants = self.0.lock();
        let is_expired = |grant: &Grant| grant.expires_at.is_some_and(|expires_at| expires_at <= by);
        grants.iter().filter(|(_, grant)| is_expired(grant)).map(|(channel, _)| channel.clone()).collect()
    }
}
