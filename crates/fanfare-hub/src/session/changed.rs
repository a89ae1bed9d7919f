//! The identity of a client that the operator's backend changed while it was connected.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use fanfare_core::{Action, Channel, Identity, identity::SubscriptionTerms};

/// An identity with another end, and maybe with other information.
pub(crate) struct ChangedIdentity {
    /// The one that the client showed: a change of a change does not keep the first.
    shown: Arc<dyn Identity>,
    expires_at: Option<SystemTime>,
    info: Option<Bytes>,
    meta: Option<Bytes>,
}

impl ChangedIdentity {
    /// `known`, but for its end. Information and meta that are not given stay.
    pub(crate) fn new(
        known: &Arc<dyn Identity>,
        expires_at: Option<SystemTime>,
        info: Option<Bytes>,
        meta: Option<Bytes>,
    ) -> Self {
        let shown = known.changes().unwrap_or(known).clone();
        let (info, meta) = (info.or_else(|| known.info()), meta.or_else(|| known.meta()));
        Self { shown, expires_at, info, meta }
    }
}

impl Identity for ChangedIdentity {
    fn subject(&self) -> Option<&str> {
        self.shown.subject()
    }

    fn token_id(&self) -> Option<&str> {
        self.shown.token_id()
    }

    fn issued_at(&self) -> Option<SystemTime> {
        self.shown.issued_at()
    }

    fn info(&self) -> Option<Bytes> {
        self.info.clone()
    }

    fn meta(&self) -> Option<Bytes> {
        self.meta.clone()
    }

    fn subscriptions(&self) -> &[Channel] {
        self.shown.subscriptions()
    }

    fn terms_of(&self, channel: &Channel) -> SubscriptionTerms {
        self.shown.terms_of(channel)
    }

    fn may_use(&self, channel: &Channel) -> bool {
        self.shown.may_use(channel)
    }

    fn allows(&self, channel: &Channel, action: Action) -> bool {
        self.shown.allows(channel, action)
    }

    fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    fn changes(&self) -> Option<&Arc<dyn Identity>> {
        Some(&self.shown)
    }
}
