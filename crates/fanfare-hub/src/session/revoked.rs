//! The tokens that are not good any more.
//!
//! Invariant: no session stays whose token is revoked, and none begins with such a token, once this node knows of the
//! revocation: by the call of another node at once, and by reading all of them every `RELOAD_EVERY`.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use fanfare_core::{
    CloseFrame, Disconnect, Identity, Revocation, Revocations,
    revocation::{RevocationError, Tokens},
};
use parking_lot::RwLock;

use crate::{
    HubMetrics, delivery::dispatcher::Dispatcher, ending::goodbye::Goodbyes, session::state::Session,
};

/// How often all revocations are read.
const RELOAD_EVERY: Duration = Duration::from_secs(30);
/// How often it is tried while they cannot be read.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// The close code of a session whose token was revoked: of 401.
const CODE: u16 = 4401;

/// See the head of this file.
pub struct RevokedTokens {
    pub(crate) store: Arc<dyn Revocations>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) goodbyes: Arc<Goodbyes>,
    pub(crate) index: RwLock<Index>,
    pub(crate) metrics: Arc<HubMetrics>,
}

/// The revocations, by what they are found by.
#[derive(Default)]
pub(crate) struct Index {
    users: HashMap<String, SystemTime>,
    ids: HashSet<String>,
    /// The number of revocations that came so far.
    came: u64,
}

impl Index {
    fn add(&mut self, tokens: &Tokens) {
        self.came += 1;
        match tokens {
            Tokens::OfUser { user, issued_until } => {
                let last = self.users.entry(user.clone()).or_insert(*issued_until);
                *last = (*last).max(*issued_until);
            }
            Tokens::WithId(id) => drop(self.ids.insert(id.clone())),
        }
    }

    fn has(&self, identity: &dyn Identity) -> bool {
        let last = identity.subject().and_then(|user| self.users.get(user));
        last.is_some_and(|last| identity.issued_at().is_none_or(|issued| issued <= *last))
            || identity.token_id().is_some_and(|id| self.ids.contains(id))
    }

    fn len(&self) -> usize {
        self.users.len() + self.ids.len()
    }
}

impl RevokedTokens {
    /// Whether the token of an identity is revoked.
    #[must_use]
    pub fn has(&self, identity: &dyn Identity) -> bool {
        self.index.read().has(identity)
    }

    /// Keeps a revocation for all nodes, and ends the sessions of this one. The number of these sessions.
    ///
    /// # Errors
    /// It was not kept, and nothing was done.
    pub async fn revoke(&self, revocation: &Revocation) -> Result<u64, RevocationError> {
        self.store.add(revocation).await?;
        Ok(self.apply(&revocation.tokens))
    }

    /// Ends the sessions of these tokens, and refuses the tokens from now on. The number of the sessions.
    pub(crate) fn apply(&self, tokens: &Tokens) -> u64 {
        self.change(|index| index.add(tokens));
        self.end_sessions()
    }

    fn change(&self, change: impl FnOnce(&mut Index)) {
        let mut index = self.index.write();
        change(&mut index);
        self.metrics.revocations.set(i64::try_from(index.len()).unwrap_or(i64::MAX));
    }

    fn end_sessions(&self) -> u64 {
        let index = self.index.read();
        if index.len() == 0 {
            return 0;
        }
        let is_revoked =
            |session: &Arc<Session>| session.identity().is_some_and(|identity| index.has(&*identity));
        let mut sessions = self.dispatcher.sessions();
        sessions.retain(is_revoked);
        drop(index);
        let disconnect = Disconnect::ByServer(CloseFrame::new(CODE, "the token was revoked"));
        sessions.iter().for_each(|session| self.goodbyes.end(session, &disconnect));
        sessions.len() as u64
    }

    /// Reads all revocations again and again. Never ends.
    pub(crate) async fn keep_loaded(self: Arc<Self>) {
        loop {
            let before = self.index.read().came;
            let wait = match self.store.all().await {
                Ok(all) => {
                    self.change(|known| {
                        // One that came meanwhile may not be among those that were read: the next read has it.
                        if known.came == before {
                            *known = Index::default();
                        }
                        all.iter().for_each(|revocation| known.add(&revocation.tokens));
                    });
                    self.end_sessions();
                    RELOAD_EVERY
                }
                Err(error) => {
                    tracing::debug!(%error, "revocations were not read: those of before are used");
                    RETRY_EVERY
                }
            };
            tokio::time::sleep(wait).await;
        }
    }
}
