//! The histories of channels: each is where its channel is.

use std::sync::Arc;

use fanfare_core::{
    Channel, History, Position,
    history::{HistoryError, HistoryFuture, Page, Range},
};
use futures_util::future::try_join_all;

use super::placement::Placement;

/// See the head of this file.
pub(super) struct PartitionedHistory {
    pub(super) placement: Arc<Placement>,
    pub(super) histories: Vec<Arc<dyn History>>,
}

impl PartitionedHistory {
    fn of<T: Send + 'static>(
        &self,
        channel: &Channel,
        ask: impl FnOnce(&dyn History) -> HistoryFuture<T>,
    ) -> HistoryFuture<T> {
        match self.histories.get(usize::from(self.placement.of(channel).0)) {
            Some(history) => ask(&**history),
            None => Box::pin(std::future::ready(Err(HistoryError("its partition is not there".to_owned())))),
        }
    }
}

impl History for PartitionedHistory {
    fn read(&self, channel: &Channel, range: Range) -> HistoryFuture<Page> {
        self.of(channel, |history| history.read(channel, range))
    }

    /// The answers of several partitions are put together. A partition that is away fails them all.
    fn tops(&self, channels: &[Channel]) -> HistoryFuture<Vec<Position>> {
        let mut asked: Vec<(Vec<usize>, Vec<Channel>)> = vec![Default::default(); self.histories.len()];
        for (at, channel) in channels.iter().enumerate() {
            if let Some((places, of_partition)) = asked.get_mut(usize::from(self.placement.of(channel).0)) {
                places.push(at);
                of_partition.push(channel.clone());
            }
        }
        let (mut places, mut answers) = (Vec::with_capacity(channels.len()), Vec::new());
        for ((of_partition, channels), history) in asked.into_iter().zip(&self.histories) {
            if !channels.is_empty() {
                places.extend(of_partition);
                answers.push(history.tops(&channels));
            }
        }
        Box::pin(async move {
            let positions = try_join_all(answers).await?.into_iter().flatten();
            let mut tops: Vec<_> = places.into_iter().zip(positions).collect();
            tops.sort_unstable_by_key(|(at, _)| *at);
            Ok(tops.into_iter().map(|(_, position)| position).collect())
        })
    }

    fn remove(&self, channel: &Channel) -> HistoryFuture<()> {
        self.of(channel, |history| history.remove(channel))
    }
}
