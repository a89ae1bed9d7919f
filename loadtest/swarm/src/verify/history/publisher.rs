//! Publishes through the HTTP API, one message after another, each until it is acknowledged: a publish whose outcome is
//! not known is repeated with the same idempotency key.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    ledger::{Fate, Name},
    notes::Notes,
    plan::Plan,
};
use crate::{api::Api, clock::random_below, position::Position};

/// A publish waits a random part of this before it is repeated.
const BEFORE_REPEAT: Duration = Duration::from_millis(500);

/// The answers after which a publish is repeated: it was refused, its outcome is unknown, or a balancer gave up.
const AGAIN: [u16; 5] = [429, 500, 502, 503, 504];

pub(super) struct Publisher {
    pub(super) number: usize,
    pub(super) channel: String,
    pub(super) plan: Plan,
    pub(super) notes: Arc<Mutex<Notes>>,
    pub(super) stop: CancellationToken,
}

impl Publisher {
    /// Publishes until it is told to stop and the last message is acknowledged.
    pub(super) async fn publish(self) {
        let every = Duration::from_secs_f64(self.plan.publishers as f64 / self.plan.rate);
        let mut due = interval_at(Instant::now() + random_below(every), every);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut node, mut api) = (self.number, None);
        while self.stop.run_until_cancelled(due.tick()).await.is_some() {
            let name = self.notes.lock().ledger.sends(self.number);
            loop {
                match self.ask(&mut api, node, name).await {
                    Ok(position) => {
                        self.notes.lock().ledger.has(name, Fate::At(position));
                        break;
                    }
                    Err(again) => {
                        self.notes.lock().repeats(name, again);
                        (node, api) = (node + 1, None);
                        sleep(random_below(BEFORE_REPEAT)).await;
                    }
                }
            }
        }
    }

    /// Publishes a message. The error is the reason to repeat it.
    async fn ask(&self, api: &mut Option<Api>, node: usize, name: Name) -> Result<Position, String> {
        let words = |error: anyhow::Error| format!("{error:#}");
        let api = match api {
            Some(api) => api,
            None => api.insert(self.plan.api(node).map_err(words)?),
        };
        let key = format!("{}-{}-{}", self.plan.run, name.publisher, name.number);
        let message =
            json!({ "channel": self.channel, "data": self.plan.payload(name), "idempotency_key": key });
        let answer = api.call("publish", &message).await.map_err(words)?;
        let position = answer.result::<Position>().map_err(|error| {
            if !AGAIN.contains(&answer.status) {
                self.notes.lock().wrong(format!("a publish cannot be taken: {error:#}"));
            }
            format!("answered with {}", answer.status)
        })?;
        Ok(position)
    }
}
