//! Asks the backend about clients and subscriptions that it permitted for a time, when the time is over.
//!
//! Invariants
//! - A client, or a subscription, is asked for once at a time, and at most once in [`REST`].
//! - While the backend does not answer, the client stays, but not for longer than the grace of its kind.

use std::{sync::Arc, time::Duration};

use fanfare_core::{Channel, Disconnect, Hook, HookRefusal};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use crate::{
    ending::goodbye::Goodbyes,
    session::{
        changed::ChangedIdentity, hooking::Hooking, identities::Identities, state::Session,
        subscriptions::Subscriptions,
    },
};

/// The time from a question without an answer to the next.
const REST: Duration = Duration::from_secs(2);

/// See the head of this file.
pub(crate) struct Renewals {
    pub(crate) hooking: Arc<Hooking>,
    pub(crate) identities: Arc<Identities>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) goodbyes: Arc<Goodbyes>,
    pub(crate) tasks: TaskTracker,
}

impl Renewals {
    /// Looks at a session whose time, or that of a subscription, may be over.
    pub(crate) fn look(self: &Arc<Self>, session: &Arc<Session>) {
        if session.kind.connects.is_none() {
            return;
        }
        if self.hooking.of(Hook::Refresh).is_some() && session.begin_renewal() {
            self.identities.look_at_expiry(session);
            self.tasks.spawn(self.clone().renew(session.clone()));
        }
        if self.hooking.of(Hook::SubRefresh).is_some()
            && let Some(granted) = session.granted()
        {
            let channels = granted.begin_renewals();
            if !channels.is_empty() {
                self.identities.look_at_expiry(session);
            }
            for channel in channels {
                self.tasks.spawn(self.clone().renew_subscription(session.clone(), channel));
            }
        }
    }

    async fn renew(self: Arc<Self>, session: Arc<Session>) {
        while !session.has_ended() {
            let Some(hooks) = self.hooking.of(Hook::Refresh) else { break };
            match hooks.refresh(self.hooking.client(&session)).await {
                Ok(answer) if answer.is_expired => self.goodbyes.end(&session, &Disconnect::Expired),
                Ok(answer) => {
                    let Some(known) = session.identity() else { break };
                    let identity = ChangedIdentity::new(&known, answer.expires_at, answer.info, answer.meta);
                    self.identities.replace_by_hook(&session, Arc::new(identity));
                    return;
                }
                Err(HookRefusal::Disconnect(frame)) => {
                    self.goodbyes.end(&session, &Disconnect::ByServer(frame));
                }
                Err(HookRefusal::Error(_) | HookRefusal::Unavailable) => sleep(REST).await,
            }
        }
        session.end_renewal();
    }

    async fn renew_subscription(self: Arc<Self>, session: Arc<Session>, channel: Channel) {
        while session.has_any(|joined| *joined == channel) {
            let Some(hooks) = self.hooking.of(Hook::SubRefresh) else { break };
            match hooks.sub_refresh(self.hooking.client(&session), channel.clone()).await {
                Ok(answer) if answer.is_expired => {
                    return self.subscriptions.end_expired(&session, channel);
                }
                Ok(answer) => {
                    return self.subscriptions.extend(&session, &channel, answer.expires_at, answer.info);
                }
                Err(HookRefusal::Disconnect(frame)) => {
                    return self.goodbyes.end(&session, &Disconnect::ByServer(frame));
                }
                Err(HookRefusal::Error(_) | HookRefusal::Unavailable) => sleep(REST).await,
            }
        }
        if let Some(granted) = session.granted() {
            granted.end_renewal(&channel);
        }
    }
}
