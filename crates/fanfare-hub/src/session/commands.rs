//! Carries out the commands of clients.
//!
//! Invariants
//! - A subscribe is answered after the session joined the channel.
//! - A command never waits for a command of another channel, see `session::pending`.
//! - The subscribes of one message reach the broker together. Replies that are ready together leave together.

use std::{future::poll_fn, sync::Arc, task::Poll};

use fanfare_core::{Channel, Command, CommandError, Limit, Reply, command::RequestId, reply::Subscription};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio_util::task::TaskTracker;

use crate::{
    metrics::HubMetrics,
    session::{
        pending::{Attempt, Attempted},
        publisher::Publisher,
        state::Session,
        subscribed::Subscribed,
        subscriptions::Subscriptions,
        writer::Writer,
    },
};

/// Carries out the commands of clients.
pub struct Commands {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) writer: Arc<Writer>,
    pub(crate) metrics: Arc<HubMetrics>,
    pub(crate) tasks: TaskTracker,
}

impl Commands {
    /// Carries out a command, or begins to. A reply that is ready at once is appended to `replies`; a later reply is
    /// sent when it is ready.
    pub(crate) fn begin(
        self: &Arc<Self>,
        session: &Arc<Session>,
        mut command: Command,
        replies: &mut Vec<Reply>,
    ) {
        if let Some(pending) = session.pending()
            && let Some(channel) = command.channel()
            && pending.has(channel)
        {
            let channel = channel.clone();
            match pending.queue(&channel, command) {
                None => return,
                Some(returned) => command = returned,
            }
        }
        if let Some((channel, attempt)) = self.carry_out(session, command, replies)
            && session.pending_or_new().begin(channel, attempt)
        {
            self.tasks.spawn(self.clone().drive(session.clone()));
        }
    }

    /// Carries out a command. For a subscribe, the attempt that the caller waits for.
    fn carry_out(
        &self,
        session: &Arc<Session>,
        command: Command,
        replies: &mut Vec<Reply>,
    ) -> Option<(Channel, Attempt)> {
        match command {
            Command::Publish { id, channel, payload } => {
                self.publisher.publish(session, id, channel, payload);
            }
            Command::Unsubscribe { id, channel } => {
                self.subscriptions.unsubscribe(session, &channel);
                replies.push(Reply::Unsubscribed { id, channel });
            }
            Command::Subscribe { id, channel, options: _ } => {
                let attempt = self.attempt(session, id, channel.clone());
                return Some((channel, attempt));
            }
            other => {
                let error = CommandError::BadRequest("not built yet");
                replies.push(Reply::Failed { id: other.id(), error });
            }
        }
        None
    }

    /// Asks the broker for a channel now. The future waits for the answer.
    fn attempt(&self, session: &Arc<Session>, id: RequestId, channel: Channel) -> Attempt {
        let subscribed = self.subscriptions.subscribe(session, &channel);
        Box::pin(async move { Attempted { id, channel, result: subscribed.await } })
    }

    /// Waits for a session's subscribes, and carries out the commands behind them, until no command waits.
    async fn drive(self: Arc<Self>, session: Arc<Session>) {
        let Some(pending) = session.pending() else { return };
        let mut attempts = FuturesUnordered::new();
        poll_fn(|cx| {
            attempts.extend(pending.take_starting());
            let mut replies = Vec::new();
            while let Poll::Ready(Some(attempted)) = attempts.poll_next_unpin(cx) {
                let channel = attempted.channel.clone();
                replies.push(self.reply(attempted));
                attempts.extend(self.follow(&session, &channel, &mut replies));
            }
            self.writer.replies(&session, &replies);
            pending.poll_rest(attempts.is_empty(), cx)
        })
        .await;
    }

    /// Carries out the commands behind a channel's first one, up to the next subscribe.
    fn follow(&self, session: &Arc<Session>, channel: &Channel, replies: &mut Vec<Reply>) -> Option<Attempt> {
        let pending = session.pending()?;
        while let Some(command) = pending.next(channel) {
            if let Some((_, attempt)) = self.carry_out(session, command, replies) {
                return Some(attempt);
            }
        }
        None
    }

    fn reply(&self, attempted: Attempted) -> Reply {
        let Attempted { id, result, .. } = attempted;
        match result {
            Ok(Subscribed { channel, position }) => {
                let subscription = Subscription { position, ..Subscription::default() };
                Reply::Subscribed { id, channel, subscription }
            }
            Err(error) => {
                if matches!(error, CommandError::TooManyChannels(_)) {
                    self.metrics.limit_hit(Limit::ChannelsPerConnection);
                }
                Reply::Failed { id, error }
            }
        }
    }
}
