//! The identities of clients, by the tokens that they show.
//!
//! Invariant: a token that was revoked gives no identity, once this node knows of the revocation.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use fanfare_core::{AuthError, Authenticator, Identity, Limits, identity::SubscriptionGrant};
use tokio::time::timeout;

use crate::session::{
    attendance::Attendance, changed::ChangedIdentity, revoked::RevokedTokens, state::Session,
};

/// See the head of this file.
pub struct Identities {
    authenticator: ArcSwap<Option<Arc<dyn Authenticator>>>,
    revoked: Arc<RevokedTokens>,
    limits: Arc<ArcSwap<Limits>>,
    attendance: Arc<Attendance>,
}

impl Identities {
    pub(crate) fn new(
        revoked: Arc<RevokedTokens>,
        limits: Arc<ArcSwap<Limits>>,
        attendance: Arc<Attendance>,
    ) -> Self {
        Self { authenticator: ArcSwap::default(), revoked, limits, attendance }
    }

    /// From now on tokens are verified by this one; `None`: nothing can verify a token.
    pub fn verify_by(&self, authenticator: Option<Arc<dyn Authenticator>>) {
        self.authenticator.store(Arc::new(authenticator));
    }

    /// The identity of a client that shows this token. Where keys may have changed elsewhere, they are waited for, at
    /// most as long as a handshake may take.
    ///
    /// # Errors
    /// The token is not good, or was revoked.
    pub async fn identify(&self, token: &str) -> Result<Arc<dyn Identity>, AuthError> {
        let identity = self.verified(token, |by, now| by.authenticate(token, now)).await?;
        if self.revoked.has(&*identity) {
            return Err(AuthError {
                reason: "the token was revoked: get a new one".into(),
                is_expired: false,
            });
        }
        Ok(identity)
    }

    /// The subscription that a token of one channel grants, as [`Identities::identify`] waits for keys.
    ///
    /// # Errors
    /// The token is not good, or is not for a channel.
    pub(crate) async fn authorize(&self, token: &str) -> Result<SubscriptionGrant, AuthError> {
        self.verified(token, |by, now| by.authorize(token, now)).await
    }

    /// Replaces the identity of a session's client. The session ends when the new one expires, and the grace of its
    /// kind with it.
    pub(crate) fn replace(&self, session: &Arc<Session>, identity: Arc<dyn Identity>) {
        self.put(session, identity, false);
    }

    /// Replaces the identity of a session's client by one that the backend named.
    pub(crate) fn replace_by_hook(&self, session: &Arc<Session>, identity: Arc<dyn Identity>) {
        self.put(session, identity, true);
    }

    /// Changes the end of a session, and what others learn of its client, as the operator's backend says. Whether the
    /// client has an identity: one without stays as long as it wants.
    pub(crate) fn change(
        &self,
        session: &Arc<Session>,
        expires_at: Option<SystemTime>,
        info: Option<Bytes>,
    ) -> bool {
        let Some(known) = session.identity() else { return false };
        let changed = Arc::new(ChangedIdentity::new(&known, expires_at, info, None));
        self.put(session, changed, session.is_by_hook());
        true
    }

    /// Replaces an identity. Other information about the client is in its entries, too, where it is in a channel.
    fn put(&self, session: &Arc<Session>, identity: Arc<dyn Identity>, is_by_hook: bool) {
        let known = session.identity().and_then(|known| known.info());
        let is_news = identity.info() != known;
        session.replace_identity(identity, is_by_hook);
        if is_news {
            self.attendance.renewed_everywhere(session);
        }
        self.look_at_expiry(session);
    }

    /// Looks at a session when its time is over, as it says now.
    pub(crate) fn look_at_expiry(&self, session: &Arc<Session>) {
        if let Some(shard) = self.revoked.dispatcher.shard_of(session) {
            shard.wheel.expires(session);
        }
    }

    async fn verified<T>(
        &self,
        token: &str,
        verify: impl Fn(&dyn Authenticator, SystemTime) -> Result<T, AuthError>,
    ) -> Result<T, AuthError> {
        let authenticator = self.authenticator.load_full();
        let Some(authenticator) = &*authenticator else {
            let reason = "this server has no keys to verify a token: connect without one";
            return Err(AuthError { reason: reason.into(), is_expired: false });
        };
        let error = match verify(&**authenticator, SystemTime::now()) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        let renewal = authenticator.renewal(token).ok_or(error)?;
        // Also where it takes too long, the answer is the authenticator's.
        drop(timeout(self.patience(), renewal).await);
        verify(&**authenticator, SystemTime::now())
    }

    fn patience(&self) -> Duration {
        self.limits.load().handshake
    }
}
