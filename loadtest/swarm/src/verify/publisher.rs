//! A client that publishes its part of the script, as fast as its own messages come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use super::{checker::Sighting, script::Script};
use crate::client::Sender;

/// Own messages in flight: the run is as fast as the slowest node, and does not flood it.
const IN_FLIGHT: usize = 8;

#[derive(Debug, Clone)]
pub(super) struct Publisher {
    name: usize,
    sender: Sender,
    echo: Arc<Echo>,
}

#[derive(Debug, Default)]
struct Echo {
    heard: AtomicUsize,
    changed: Notify,
}

impl Publisher {
    pub(super) fn new(name: usize, sender: Sender) -> Self {
        Self { name, sender, echo: Arc::default() }
    }

    /// Notes a message on this publisher's own connection.
    pub(super) fn heard(&self, sighting: &Sighting) {
        if matches!(sighting, Sighting::Message { publisher, .. } if *publisher == self.name) {
            self.echo.heard.fetch_add(1, Ordering::Relaxed);
            self.echo.changed.notify_one();
        }
    }

    /// Publishes. Returns its name and the number of messages sent. It stops early if no message of its own came back for
    /// as long as `patience`.
    pub(super) async fn publish_all(self, script: Arc<Script>, patience: Duration) -> (usize, usize) {
        for number in 0..script.messages() {
            while number.saturating_sub(self.echo.heard.load(Ordering::Relaxed)) >= IN_FLIGHT {
                if timeout(patience, self.echo.changed.notified()).await.is_err() {
                    return (self.name, number);
                }
            }
            let Some((kind, payload)) = script.message(self.name, number) else { return (self.name, number) };
            self.sender.message(kind, payload);
        }
        (self.name, script.messages())
    }
}
