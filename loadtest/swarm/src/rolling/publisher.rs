//! Publishes through the HTTP API, one message after another.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::run::Run;
use crate::{api::Api, clock::Moment};

/// The longest time for an answer: longer than a server lets a publish wait.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The publisher of a channel.
pub(super) struct Publisher {
    pub(super) run: Arc<Mutex<Run>>,
    pub(super) api: Api,
    pub(super) name: String,
    pub(super) channel: usize,
    /// The time from one message to the next.
    pub(super) every: Duration,
    /// The time until the first message.
    pub(super) after: Duration,
    pub(super) stop: CancellationToken,
}

impl Publisher {
    /// Publishes until it is told to stop. It catches up after a delay.
    pub(super) async fn publish(mut self) {
        let mut due = interval_at(Instant::now() + self.after, self.every);
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        while self.stop.run_until_cancelled(due.tick()).await.is_some() {
            let sent = Moment::now();
            let number = self.run.lock().ledger.publishes(self.channel, sent);
            let message = json!({ "channel": self.name, "data": number.to_string() });
            let answer = self.api.call("publish", &message).await;
            let now = Moment::now();
            let mut run = self.run.lock();
            match answer {
                Ok(answer) if answer.status == 200 => {
                    run.ledger.taken(self.channel, number, now);
                    run.answers.record(now.since(sent));
                }
                Ok(answer) => run.not_taken(format!("answered with {}", answer.status)),
                Err(error) => run.not_taken(format!("{error:#}")),
            }
        }
    }
}
