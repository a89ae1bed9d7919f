//! The grants of tokens, and of the operator's backend, to the subscriptions of one session.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_core::{Action, Allowance, Channel, identity::SubscriptionTerms};
use parking_lot::Mutex;

/// The grant of a token, or of the operator's backend, to one subscription, beside the subscription itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grant {
    /// Information about the subscription for other clients.
    pub(crate) info: Option<Bytes>,
    /// When the token expires; `None`: never.
    pub(crate) expires_at: Option<SystemTime>,
    /// The rights of the client in the channel, beside those of its namespace.
    allowance: Allowance,
    /// Whether the backend gave it, and is asked again when it expires.
    is_by_backend: bool,
    /// Whether the backend is being asked.
    is_renewing: bool,
    /// Whether the server made the subscription, so that its end is that of the connection.
    is_by_server: bool,
}

impl Grant {
    /// The grant of these terms.
    pub(crate) fn of(terms: &SubscriptionTerms) -> Self {
        let SubscriptionTerms { info, expires_at, allowance, .. } = terms;
        Self { info: info.clone(), expires_at: *expires_at, allowance: *allowance, ..Self::default() }
    }

    /// The same, given by the backend.
    pub(crate) fn by_backend(self) -> Self {
        Self { is_by_backend: true, ..self }
    }

    /// The same for a subscription that the server made; `None`: it says nothing.
    pub(crate) fn by_server(self) -> Option<Self> {
        let says = self.info.is_some() || self.expires_at.is_some() || !self.allowance.is_empty();
        says.then_some(Self { is_by_server: true, ..self })
    }

    fn waits_for_renewal(&self) -> bool {
        self.is_by_backend && !self.is_renewing
    }
}

/// The grants of one session, by channel.
#[derive(Default)]
pub(crate) struct Granted(Mutex<HashMap<Channel, Grant>>);

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

    /// Whether the grant of a channel allows an action there.
    pub(crate) fn allows(&self, channel: &Channel, action: Action) -> bool {
        self.0.lock().get(channel).is_some_and(|grant| grant.allowance.has(action))
    }

    /// Whether the server made a subscription.
    pub(crate) fn is_by_server(&self, channel: &Channel) -> bool {
        self.0.lock().get(channel).is_some_and(|grant| grant.is_by_server)
    }

    /// A later token, or the backend, says when a subscription ends. Information that is not given stays. Whether there
    /// is other information than before.
    pub(crate) fn extend(
        &self,
        channel: &Channel,
        expires_at: Option<SystemTime>,
        info: Option<Bytes>,
    ) -> bool {
        let mut grants = self.0.lock();
        let grant = grants.entry(channel.clone()).or_default();
        (grant.expires_at, grant.is_renewing) = (expires_at, false);
        let is_news = info.is_some() && info != grant.info;
        if is_news {
            grant.info = info;
        }
        is_news
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

    /// The channels whose tokens expired at this time or before.
    pub(crate) fn expired(&self, by: SystemTime) -> Vec<Channel> {
        let grants = self.0.lock();
        let is_expired = |grant: &Grant| grant.expires_at.is_some_and(|expires_at| expires_at <= by);
        grants.iter().filter(|(_, grant)| is_expired(grant)).map(|(channel, _)| channel.clone()).collect()
    }
}
