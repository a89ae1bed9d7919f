//! The grants of tokens to the subscriptions of one session.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

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
    /// Whether the backend gave it, and is asked again when it expires.
    is_by_hook: bool,
    /// Whether the backend is being asked.
    is_renewing: bool,
}

impl Grant {
    /// A grant of the backend.
    pub(crate) fn by_hook(info: Option<Bytes>, expires_at: Option<SystemTime>) -> Self {
        Self { info, expires_at, is_by_hook: true, is_renewing: false }
    }

    /// The grant of a connection's token to a channel that it names.
    pub(crate) fn by_connection(info: Bytes) -> Self {
        Self { info: Some(info), ..Self::default() }
    }

    fn waits_for_renewal(&self) -> bool {
        self.is_by_hook && !self.is_renewing
    }
}

/// The grants of one session, by channel.
#[derive(Default)]
pub(crate) struct Granted(Mutex<HashMap<Channel, Grant>>);

impl From<SubscriptionGrant> for Grant {
    fn from(grant: SubscriptionGrant) -> Self {
        Self { info: grant.terms.info, expires_at: grant.expires_at, ..Self::default() }
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

    /// When the first of them is over, with this grace, or is to be renewed by the backend, without it.
    pub(crate) fn next_due(&self, grace: Duration) -> Option<SystemTime> {
        let due = |grant: &Grant| {
            let grace = if grant.waits_for_renewal() { Duration::ZERO } else { grace };
            grant.expires_at?.checked_add(grace)
        };
        self.0.lock().values().filter_map(due).min()
    }

    /// The channels whose grants by the backend expired. Each is named once, until [`Granted::end_renewal`].
    pub(crate) fn begin_renewals(&self) -> Vec<Channel> {
        let now = SystemTime::now();
        let mut grants = self.0.lock();
        let expired = grants.iter_mut().filter(|(_, grant)| {
            grant.waits_for_renewal() && grant.expires_at.is_some_and(|expires_at| expires_at <= now)
        });
        expired
            .map(|(channel, grant)| {
                grant.is_renewing = true;
                channel.clone()
            })
            .collect()
    }

    /// The backend is not asked any more about a channel.
    pub(crate) fn end_renewal(&self, channel: &Channel) {
        if let Some(grant) = self.0.lock().get_mut(channel) {
            grant.is_renewing = false;
        }
    }

    /// The backend permits a subscription for another time. Information that it does not give stays.
    pub(crate) fn renewed(&self, channel: &Channel, expires_at: Option<SystemTime>, info: Option<Bytes>) {
        if let Some(grant) = self.0.lock().get_mut(channel) {
            let info = info.or_else(|| grant.info.take());
            *grant = Grant::by_hook(info, expires_at);
        }
    }

    /// The channels whose tokens expired at this time or before.
    pub(crate) fn expired(&self, by: SystemTime) -> Vec<Channel> {
        let grants = self.0.lock();
        let is_expired = |grant: &Grant| grant.expires_at.is_some_and(|expires_at| expires_at <= by);
        grants.iter().filter(|(_, grant)| is_expired(grant)).map(|(channel, _)| channel.clone()).collect()
    }
}
