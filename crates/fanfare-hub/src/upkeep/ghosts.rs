//! Looks for clients of nodes that died, for subscribers that want to know that these clients left.
//!
//! Invariants
//! - After a node went out of the registry, presence is read once for each channel with such a subscriber on this node.
//!   A read removes the entries of dead nodes, and tells them ([`Presence::on_removed`]). A look that fails comes again.
//! - One channel is read at a time, at a pace. Nodes that go out while a look is under way have one more look together.
//!
//! So subscribers learn of it at most 25 seconds after a node died, and 10 ms more for each channel: 10 until its entry
//! in the registry expires, 3 until this node reads the registry, and [`UNTIL_DEAD`].

use std::{sync::Arc, time::Duration};

use fanfare_core::Presence;
use tokio::{sync::Notify, time::sleep};

use crate::delivery::dispatcher::Dispatcher;

/// A node that stops goes out of the registry at once. Its entries in presence count for ten seconds more.
pub const UNTIL_DEAD: Duration = Duration::from_secs(11);

/// The time between two channels.
const BETWEEN_READS: Duration = Duration::from_millis(10);

/// See the head of this file.
pub struct Ghosts {
    dispatcher: Arc<Dispatcher>,
    presence: Arc<dyn Presence>,
    gone: Notify,
}

impl Ghosts {
    pub(crate) fn new(dispatcher: Arc<Dispatcher>, presence: Arc<dyn Presence>) -> Self {
        Self { dispatcher, presence, gone: Notify::new() }
    }

    /// A node went out of the registry.
    pub fn node_is_gone(&self) {
        self.gone.notify_one();
    }

    /// Looks for as long as the node lives.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            self.gone.notified().await;
            sleep(UNTIL_DEAD).await;
            self.look().await;
        }
    }

    async fn look(&self) {
        for channel in self.dispatcher.channels_with_news() {
            if let Err(error) = self.presence.stats(&channel).await {
                tracing::debug!(%error, %channel, "clients of a dead node were not looked for: it is tried again");
                return self.gone.notify_one();
            }
            sleep(BETWEEN_READS).await;
        }
    }
}
