//! Sends events to the operator's backend: `hooks.events`.
//!
//! Invariants
//! - No client waits for anything here: events wait in the outbox of the broker.
//! - One node sends at a time, one batch at a time. A batch is removed from the outbox after the backend took it, and sent
//!   again, the same, until then. So the backend gets every event at least once, in the order of the outbox, unless it
//!   fell off a full outbox.
//! - A node that was frozen while it sent may finish when another sends already. The ids tell the backend what it has.
//!
//! - `body`: a batch as JSON; `pace`: the time between two attempts; `metrics`

mod body;
mod metrics;
mod pace;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use fanfare_core::{
    CriticalTasks, Outbox,
    outbox::{EventId, OutboxError, OutboxEvent},
};
use fanfare_hub::Hub;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::metrics::EventMetrics;
use self::{metrics::Attempt, pace::Pace};
use crate::{
    ask::{Asker, Poster},
    config::EventConfig,
    hooks::signature::{SIGNATURE, signature},
};

/// The most events of a batch.
const BATCH: usize = 100;
/// How long a node has the right to send, beyond the time in which it does something.
const HOLD: Duration = Duration::from_secs(10);
/// The time between two looks into an empty outbox.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The time between two looks whether another node still sends.
const WAIT_FOR_OTHER: Duration = Duration::from_secs(2);
/// The time between two looks for dead nodes.
const BURY_EVERY: Duration = Duration::from_secs(5);
/// The time for what waits when the node ends.
const LAST: Duration = Duration::from_millis(500);

/// The task that sends events, and its configuration.
pub(crate) struct Events {
    config: watch::Sender<Option<EventConfig>>,
    pub(crate) sender: JoinHandle<()>,
}

/// See the head of this file.
struct Sender {
    outbox: Arc<dyn Outbox>,
    /// Where events are sent; `None`: nowhere.
    config: watch::Receiver<Option<EventConfig>>,
    metrics: EventMetrics,
    stop: CancellationToken,
}

/// Sends by one configuration.
struct Sending {
    outbox: Arc<dyn Outbox>,
    config: EventConfig,
    poster: Poster,
    metrics: EventMetrics,
}

/// The end of an attempt.
enum Sent {
    /// There was none.
    Nothing,
    Taken,
    Failed,
    /// Another node has the right to send.
    NotMine,
}

impl Events {
    /// Starts the task, which sends nowhere yet.
    pub(crate) fn start(
        outbox: Arc<dyn Outbox>,
        metrics: EventMetrics,
        stop: CancellationToken,
        tasks: &CriticalTasks,
    ) -> Self {
        let (config, is_told) = watch::channel(None);
        let sender = Sender { outbox, config: is_told, metrics, stop };
        Self { config, sender: tokio::spawn(tasks.watch(sender.run())) }
    }

    /// The backend of this configuration is told what clients do, from now on.
    pub(crate) fn tell(&self, hub: &Hub, config: Option<EventConfig>) {
        hub.events.tell_ends(config.is_some());
        self.config.send_if_modified(|now| {
            let is_changed = *now != config;
            *now = config;
            is_changed
        });
    }
}

impl Sender {
    /// Sends until the node stops.
    async fn run(mut self) {
        let stop = self.stop.clone();
        stop.run_until_cancelled(self.send_for_ever()).await;
        let config = self.config.borrow().clone();
        if let Some(config) = config {
            let sending = self.by(config);
            drop(timeout(LAST, sending.send_the_rest()).await);
            drop(timeout(LAST, self.outbox.release()).await);
        }
    }

    async fn send_for_ever(&mut self) {
        loop {
            let config = self.config.borrow_and_update().clone();
            let sending = config.map(|config| self.by(config));
            let is_changed = match sending {
                None => self.config.changed().await,
                // A batch that is under way is sent again by the new configuration.
                Some(sending) => tokio::select! {
                    never = sending.run() => match never {},
                    is_changed = self.config.changed() => is_changed,
                },
            };
            self.metrics.waiting.set(0);
            if is_changed.is_err() {
                return;
            }
            if self.config.borrow().is_none() {
                drop(timeout(LAST, self.outbox.release()).await);
            }
        }
    }

    fn by(&self, config: EventConfig) -> Sending {
        let poster = Poster::new(Asker::new(config.timeout));
        Sending { outbox: self.outbox.clone(), config, poster, metrics: self.metrics.clone() }
    }
}

impl Sending {
    async fn run(&self) -> std::convert::Infallible {
        let (mut pace, mut next_burial) = (Pace::default(), Instant::now());
        let (mut last_trouble, mut is_said) = (None, false);
        loop {
            let sent = self.send_next().await;
            // Trouble that was over at the next look, as while a node starts, is not said.
            let trouble = sent.as_ref().err().cloned();
            let is_same = trouble == last_trouble;
            if let Some(error) = trouble.as_ref().filter(|_| is_same && !is_said) {
                tracing::warn!(%error, "events wait");
            }
            is_said = is_same;
            last_trouble = trouble;
            match sent {
                Ok(Sent::Taken) => pace.reset(),
                Ok(Sent::Nothing) => {
                    pace.reset();
                    sleep(LOOK_EVERY).await;
                }
                Ok(Sent::NotMine) => {
                    self.metrics.waiting.set(0);
                    sleep(WAIT_FOR_OTHER).await;
                    continue;
                }
                Ok(Sent::Failed) => {
                    let wait = pace.next();
                    // No other node sends meanwhile.
                    drop(self.outbox.next(1, wait + HOLD).await);
                    sleep(wait).await;
                }
                Err(_) => {
                    sleep(WAIT_FOR_OTHER).await;
                    continue;
                }
            }
            if next_burial <= Instant::now() {
                if let Err(error) = self.outbox.bury().await {
                    tracing::debug!(%error, "dead nodes were not looked for: it is tried again");
                }
                next_burial = Instant::now() + BURY_EVERY;
            }
        }
    }

    async fn send_the_rest(&self) {
        while let Ok(Sent::Taken) = self.send_next().await {}
    }

    async fn send_next(&self) -> Result<Sent, OutboxError> {
        let Some(waiting) = self.outbox.next(BATCH, self.config.timeout + HOLD).await? else {
            return Ok(Sent::NotMine);
        };
        self.metrics.waiting(waiting.count);
        let Some(last) = waiting.last else { return Ok(Sent::Nothing) };
        // An outbox may have only entries that this release does not know.
        if !waiting.events.is_empty() && !self.post(&waiting.events).await {
            return Ok(Sent::Failed);
        }
        self.remove(&last).await?;
        Ok(Sent::Taken)
    }

    async fn remove(&self, last: &EventId) -> Result<(), OutboxError> {
        let left = self.outbox.remove(last).await?;
        self.metrics.waiting(left);
        Ok(())
    }

    /// Posts a batch. Whether the backend took it.
    async fn post(&self, events: &[OutboxEvent]) -> bool {
        let body = body::batch(events);
        let signed = self.config.secret.as_ref().map(|secret| signature(secret, &body));
        let headers = signed.as_deref().map(|signed| (SIGNATURE, signed));
        let answer = self.poster.post(&self.config.target, headers, body.into());
        let (attempt, reason) = match timeout(self.config.timeout, answer).await {
            Ok(Ok(answer)) if answer.status.is_success() => (Attempt::Taken, None),
            Ok(Ok(answer)) => (Attempt::Refused, Some(format!("the status is {}", answer.status))),
            Ok(Err(error)) => (Attempt::Failure, Some(error.to_string())),
            Err(_) => (Attempt::Failure, Some("no answer in time".to_owned())),
        };
        self.metrics.attempted(attempt);
        match reason {
            None => self.metrics.sent.inc_by(events.len() as u64),
            Some(reason) => {
                tracing::warn!(
                    reason,
                    events = events.len(),
                    "the backend did not take events: they are sent again"
                );
                return false;
            }
        }
        true
    }
}
