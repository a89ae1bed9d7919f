//! Subscribing sessions to channels.
//!
//! Invariant: a session joins a channel after the broker confirmed it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use fanfare_core::{Channel, CommandError, Limits, SubscribeError, command::Action};
use tokio::time::timeout;

use crate::{
    delivery::dispatcher::Dispatcher,
    session::{interest::Interest, permission::permit, state::Session},
};

/// Subscribes and unsubscribes sessions.
pub struct Subscriptions {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) interest: Arc<Interest>,
    pub(crate) limits: Arc<ArcSwap<Limits>>,
}

impl Subscriptions {
    /// Subscribes a session: every publication that the broker accepts after the return reaches it. A session that
    /// has ended stays as it is. Keep the channel returned, not a copy for each connection: all its subscribers
    /// share one string.
    ///
    /// # Errors
    /// The session is not subscribed, and why.
    pub async fn subscribe(
        &self,
        session: &Arc<Session>,
        channel: &Channel,
    ) -> Result<Channel, CommandError> {
        permit(self.dispatcher.namespaces().of(channel).subscribe, session, channel, Action::Subscribe)?;
        let limits = self.limits.load_full();
        let most = limits.channels_per_connection;
        if !session.channels.lock().can_join(channel, most)? {
            return Ok(channel.clone());
        }
        let (guard, confirmed) = self.interest.acquire(channel);
        match timeout(limits.handshake, confirmed).await {
            Ok(confirmed) => confirmed?,
            Err(_) => return Err(SubscribeError::Unavailable.into()),
        }
        let mut channels = session.channels.lock();
        // Meanwhile the session may have ended, or joined the channel by another command.
        if !channels.can_join(channel, most)? {
            return Ok(channel.clone());
        }
        let channel = guard.keep();
        channels.joined.push(channel.clone());
        self.dispatcher.join(&channel, session);
        Ok(channel)
    }

    /// Ends a subscription, if there is one.
    pub fn unsubscribe(&self, session: &Session, channel: &Channel) {
        let mut channels = session.channels.lock();
        let Some(at) = channels.joined.iter().position(|found| found == channel) else { return };
        let channel = channels.joined.swap_remove(at);
        // Under the lock, as the joining is: else it could undo a later one.
        self.dispatcher.leave(&channel, session);
        drop(channels);
        self.interest.release(&channel);
    }
}
