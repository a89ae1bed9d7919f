//! Carries out the commands of clients.
//!
//! Invariant: a subscribe is answered after the session joined the channel.

use std::sync::Arc;

use fanfare_core::{Command, CommandError, Limit, Reply};

use crate::{
    metrics::HubMetrics,
    session::{publisher::Publisher, state::Session, subscriptions::Subscriptions, writer::Writer},
};

/// Carries out commands.
pub struct Commands {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) writer: Arc<Writer>,
    pub(crate) metrics: Arc<HubMetrics>,
}

impl Commands {
    /// Carries out one command and sends its answer. A publish does not wait for the broker; the others do.
    pub async fn execute(&self, session: &Arc<Session>, command: Command) {
        let reply = match command {
            Command::Publish { id, channel, payload } => {
                return self.publisher.publish(session, id, channel, payload);
            }
            Command::Subscribe { id, channel } => {
                match self.subscriptions.subscribe(session, &channel).await {
                    Ok(channel) => Reply::Subscribed { id, channel },
                    Err(error) => {
                        if matches!(error, CommandError::TooManyChannels(_)) {
                            self.metrics.limit_hit(Limit::ChannelsPerConnection);
                        }
                        Reply::Failed { id, error }
                    }
                }
            }
            Command::Unsubscribe { id, channel } => {
                self.subscriptions.unsubscribe(session, &channel);
                Reply::Unsubscribed { id, channel }
            }
        };
        self.writer.reply(session, &reply);
    }
}
