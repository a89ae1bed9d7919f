//! The broker's history, as the hub hands it out.
//!
//! Invariant: this node's tails serve nothing that was removed through it. Those of other nodes are told by a call
//! (`calls::call::Call::Forget`).

use std::sync::Arc;

use fanfare_core::{
    Channel, History, Position,
    history::{HistoryFuture, Page, Range},
};

use crate::delivery::dispatcher::Dispatcher;

/// See the head of this file.
pub(crate) struct Forgetting {
    pub(crate) history: Arc<dyn History>,
    pub(crate) dispatcher: Arc<Dispatcher>,
}

impl History for Forgetting {
    fn read(&self, channel: &Channel, range: Range) -> HistoryFuture<Page> {
        self.history.read(channel, range)
    }

    fn tops(&self, channels: &[Channel]) -> HistoryFuture<Vec<Position>> {
        self.history.tops(channels)
    }

    fn remove(&self, channel: &Channel) -> HistoryFuture<()> {
        let removed = self.history.remove(channel);
        let (dispatcher, channel) = (self.dispatcher.clone(), channel.clone());
        Box::pin(async move {
            removed.await?;
            dispatcher.forget(&channel);
            Ok(())
        })
    }
}

impl Dispatcher {
    /// Forgets the publications of a channel that its tail keeps. Its position stays.
    pub(crate) fn forget(&self, channel: &Channel) {
        if let Some(tail) = self.tails().get(channel) {
            self.change_tail(&tail, |state, _| state.forget());
        }
    }
}
