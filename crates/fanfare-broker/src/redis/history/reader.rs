//! Reads the histories of channels.
//!
//! Invariants:
//! - An answer of Redis has little more than [`ANSWER`] bytes, so that no read holds Redis up. A longer range takes
//!   several. They make one state of the history all the same: a later answer goes no further than the top of the first,
//!   and fits to the one before, or the read begins anew.
//! - While Redis is away, a read fails at once.

use std::{sync::Arc, time::Duration};

use fanfare_core::{
    Channel, Epoch, History, Position, Publication,
    broker::BrokerState,
    history::{HistoryError, HistoryFuture, META_TTL, Page, Range},
};

use super::entry::{Entry, publication};
use crate::redis::{
    clock::offset::Clock,
    connection::{commands::PooledCommands, links::Links, pool::PooledConnection},
    names::Names,
};

const READ: &str = concat!(include_str!("begin.lua"), include_str!("before.lua"), include_str!("read.lua"));
const TOPS: &str = concat!(include_str!("begin.lua"), include_str!("tops.lua"));

/// The most connections that read.
pub(crate) const CONNECTIONS: usize = 4;
/// How long a connection is used.
pub(crate) const USED_FOR: Duration = Duration::from_secs(60);
/// The bytes of publications after which an answer ends.
const ANSWER: usize = 1 << 20;
/// The most publications of an answer.
const MOST: usize = 4096;
/// The most channels of one question for tops.
const BATCH: usize = 500;
/// How often a read begins anew, where the history changed meanwhile.
const TIMES: usize = 5;

/// See the head of this file.
#[derive(Clone)]
pub(crate) struct RedisHistory {
    pub(crate) commands: PooledCommands,
    pub(crate) names: Arc<Names>,
    pub(crate) links: Arc<Links>,
    pub(crate) clock: Arc<Clock>,
}

/// One answer.
struct Answer {
    top: Position,
    continues: Vec<Position>,
    /// In the order of the read.
    publications: Vec<Arc<Publication>>,
}

impl RedisHistory {
    async fn connection(&self) -> Result<PooledConnection, HistoryError> {
        if self.links.state() == BrokerState::Away {
            return Err(HistoryError(format!("Redis is away: {}", self.links.publisher.trouble())));
        }
        self.commands.connection().await.map_err(HistoryError)
    }

    /// One answer. It may end before the range does.
    async fn answer(
        &self,
        connection: &mut PooledConnection,
        channel: &Channel,
        range: Range,
    ) -> Result<Answer, HistoryError> {
        let (direction, offset, limit) = match range {
            Range::After { offset, limit } => ("after", offset, limit),
            Range::Before { offset, limit } => ("before", offset.unwrap_or(u64::MAX), limit),
        };
        let mut eval = redis::cmd("EVAL");
        eval.arg(READ).arg(2).arg(self.names.meta(channel).concat()).arg(self.names.stream(channel).concat());
        eval.arg(&candidate()).arg(META_TTL.as_secs()).arg(direction).arg(offset);
        eval.arg(limit.min(MOST)).arg(ANSWER);
        let (epoch, top, entries, before): (Vec<u8>, u64, Vec<Entry>, Vec<u8>) =
            self.commands.run(connection, "EVAL of a read", &eval).await.map_err(HistoryError)?;
        let epoch = epoch_of(&epoch)?;
        let decode = |entry| publication(channel, epoch, entry, &self.clock);
        let publications = entries.into_iter().map(decode).collect::<Option<_>>().ok_or_else(malformed)?;
        let continues = before.chunks(16).map(position_of).collect::<Result<_, _>>()?;
        Ok(Answer { top: Position { epoch, offset: top }, continues, publications })
    }

    /// All of a range; `None` where it changed meanwhile.
    async fn whole(
        &self,
        connection: &mut PooledConnection,
        channel: &Channel,
        range: Range,
    ) -> Result<Option<Page>, HistoryError> {
        let Answer { top, continues, mut publications } = self.answer(connection, channel, range).await?;
        while let Some(rest) = rest(range, top, &publications) {
            let more = self.answer(connection, channel, rest).await?;
            if more.top.epoch != top.epoch {
                return Ok(None);
            }
            let more = more.publications;
            match rest {
                // The oldest have expired meanwhile.
                Range::Before { .. } if more.is_empty() => break,
                Range::Before { .. } => publications.extend(more),
                Range::After { offset, .. } if offset_of(more.first()) == Some(offset + 1) => {
                    let is_of_then = |more: &Arc<Publication>| offset_of(Some(more)) <= Some(top.offset);
                    publications.extend(more.into_iter().take_while(is_of_then));
                }
                Range::After { .. } => return Ok(None),
            }
        }
        if matches!(range, Range::Before { .. }) {
            publications.reverse();
        }
        Ok(Some(Page { top, publications, continues }))
    }

    async fn read_range(&self, channel: &Channel, range: Range) -> Result<Page, HistoryError> {
        let mut connection = self.connection().await?;
        for _ in 0..TIMES {
            if let Some(page) = self.whole(&mut connection, channel, range).await? {
                return Ok(page);
            }
        }
        Err(HistoryError("it changed while it was read, again and again: ask for a shorter range".to_owned()))
    }

    async fn tops_of(&self, channels: &[Channel]) -> Result<Vec<Position>, HistoryError> {
        let mut tops = Vec::with_capacity(channels.len());
        if channels.is_empty() {
            return Ok(tops);
        }
        let mut connection = self.connection().await?;
        for batch in channels.chunks(BATCH) {
            let mut eval = redis::cmd("EVAL");
            eval.arg(TOPS).arg(batch.len());
            for channel in batch {
                eval.arg(self.names.meta(channel).concat());
            }
            eval.arg(META_TTL.as_secs());
            batch.iter().for_each(|_| _ = eval.arg(&candidate()));
            let answer = self.commands.run(&mut connection, "EVAL of tops", &eval).await;
            let answer: Vec<(Vec<u8>, u64)> = answer.map_err(HistoryError)?;
            if answer.len() != batch.len() {
                return Err(malformed());
            }
            for (epoch, offset) in answer {
                tops.push(Position { epoch: epoch_of(&epoch)?, offset });
            }
        }
        Ok(tops)
    }

    /// Keeps the key, and with it the time for which it is kept: the next publish need not set it.
    async fn remove_all(&self, channel: &Channel) -> Result<(), HistoryError> {
        let mut connection = self.connection().await?;
        let mut trim = redis::cmd("XTRIM");
        trim.arg(self.names.stream(channel).concat()).arg("MAXLEN").arg(0);
        self.commands.run(&mut connection, "XTRIM", &trim).await.map_err(HistoryError)
    }
}

/// The part of a range that was not read yet.
fn rest(range: Range, top: Position, read: &[Arc<Publication>]) -> Option<Range> {
    let last = offset_of(read.last())?;
    match range {
        Range::After { limit, .. } => {
            let limit = limit - read.len().min(limit);
            (limit > 0 && last < top.offset).then_some(Range::After { offset: last, limit })
        }
        Range::Before { limit, .. } => {
            let limit = limit - read.len().min(limit);
            (limit > 0 && last > 1).then_some(Range::Before { offset: Some(last), limit })
        }
    }
}

fn offset_of(publication: Option<&Arc<Publication>>) -> Option<u64> {
    Some(publication?.position?.offset)
}

/// An epoch for a channel that has none.
fn candidate() -> [u8; 8] {
    rand::random::<u64>().to_be_bytes()
}

fn epoch_of(bytes: &[u8]) -> Result<Epoch, HistoryError> {
    bytes.try_into().map(|bytes| Epoch(u64::from_be_bytes(bytes))).map_err(|_| malformed())
}

/// A position in 16 bytes.
fn position_of(bytes: &[u8]) -> Result<Position, HistoryError> {
    let (epoch, offset) = bytes.split_at_checked(8).ok_or_else(malformed)?;
    let offset = offset.try_into().map_err(|_| malformed())?;
    Ok(Position { epoch: epoch_of(epoch)?, offset: u64::from_be_bytes(offset) })
}

fn malformed() -> HistoryError {
    HistoryError(
        "Redis holds something in it that this node does not understand: remove the history, or update this node"
            .to_owned(),
    )
}

impl History for RedisHistory {
    fn read(&self, channel: &Channel, range: Range) -> HistoryFuture<Page> {
        let (this, channel) = (self.clone(), channel.clone());
        Box::pin(async move { this.read_range(&channel, range).await })
    }

    fn tops(&self, channels: &[Channel]) -> HistoryFuture<Vec<Position>> {
        let (this, channels) = (self.clone(), channels.to_vec());
        Box::pin(async move { this.tops_of(&channels).await })
    }

    fn remove(&self, channel: &Channel) -> HistoryFuture<()> {
        let (this, channel) = (self.clone(), channel.clone());
        Box::pin(async move { this.remove_all(&channel).await })
    }
}
