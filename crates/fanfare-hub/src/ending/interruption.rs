//! What the sessions learn when publications may have been missed.
//!
//! Invariants
//! - Sessions are closed for a loss only in namespaces that ask for it, and at a pace.
//! - The broker's task notes what happened and goes on; the looking and the closing are done here.

use std::{collections::HashSet, sync::Arc};

use fanfare_core::{Channel, Disconnect, Namespaces, OnInterruption, Partition};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{ending::drain::Pace, hub::Hub, session::state::Session};

/// What may have been missed, and was not looked at yet.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    lost: Mutex<Lost>,
    noted: Notify,
}

#[derive(Debug, Default)]
struct Lost {
    /// Something on any channel of these.
    partitions: HashSet<Partition>,
    /// Something on these. Only of namespaces that close, so as many as there are subscribed at most.
    channels: HashSet<Channel>,
}

impl Losses {
    /// Something may have been missed on any channel of this partition.
    pub(crate) fn on_partition(&self, partition: Partition) {
        self.lost.lock().partitions.insert(partition);
        self.noted.notify_one();
    }

    /// Something was missed on this one.
    pub(crate) fn on(&self, channel: &Channel) {
        self.lost.lock().channels.insert(channel.clone());
        self.noted.notify_one();
    }

    async fn next(&self) -> Lost {
        self.noted.notified().await;
        std::mem::take(&mut *self.lost.lock())
    }
}

impl Hub {
    /// Closes the sessions that may have missed something, where their namespaces ask for it, at the pace that is
    /// asked for each time. For as long as it is polled.
    pub async fn close_after_losses(self: Arc<Self>, pace: impl Fn() -> Pace) {
        loop {
            let lost = self.dispatcher().losses().next().await;
            let sessions = self.sessions_that_lost(&lost);
            if !sessions.is_empty() {
                self.end_at_pace(sessions, pace(), &Disconnect::Interrupted).await;
            }
        }
    }

    fn sessions_that_lost(&self, lost: &Lost) -> Vec<Arc<Session>> {
        let namespaces = self.namespaces();
        let Lost { partitions, channels } = lost;
        if partitions.is_empty() && channels.is_empty() {
            return Vec::new();
        }
        let has_lost = |channel: &Channel| {
            closes(&namespaces, channel)
                && (channels.contains(channel) || partitions.contains(&self.broker().partition_of(channel)))
        };
        self.sessions().into_iter().filter(|session| session.holds_any(has_lost)).collect()
    }
}

/// Whether the sessions in this channel are to be closed once they missed something.
pub(crate) fn closes(namespaces: &Namespaces, channel: &Channel) -> bool {
    namespaces.of(channel).on_interruption == OnInterruption::Close
}
