//! The outbox as the node sees it.

use std::{sync::Arc, time::Duration};

use fanfare_core::{
    Channel, Incarnation, Outbox,
    broker::BrokerState,
    outbox::{ConnectionEnd, EventId, OutboxError, OutboxFuture, Waiting, WantsEvents},
};
use redis::FromRedisValue;

use super::{
    ends::Ends,
    entry::{self, Entry},
};
use crate::redis::{
    connection::{commands::PooledCommands, pool::PooledConnection},
    presence::RedisPresence,
};

const NEXT: &str = include_str!("next.lua");
const RELEASE: &str = include_str!("release.lua");

/// See the head of this file.
#[derive(Clone)]
pub(crate) struct RedisOutbox {
    pub(crate) node: Incarnation,
    pub(crate) commands: PooledCommands,
    /// Members are in presence, and make their events there.
    pub(crate) presence: RedisPresence,
    pub(crate) ends: Arc<Ends>,
}

impl RedisOutbox {
    pub(super) async fn connection(&self) -> Result<PooledConnection, OutboxError> {
        if self.presence.links.state() == BrokerState::Away {
            return Err(OutboxError("Redis is away".to_owned()));
        }
        self.commands.connection().await.map_err(OutboxError)
    }

    pub(super) async fn run<T: FromRedisValue>(
        &self,
        connection: &mut PooledConnection,
        name: &str,
        command: &redis::Cmd,
    ) -> Result<T, OutboxError> {
        self.commands.run(connection, name, command).await.map_err(OutboxError)
    }

    async fn read(&self, most: usize, hold: Duration) -> Result<Option<Waiting>, OutboxError> {
        let names = &self.presence.names;
        let mut next = redis::cmd("EVAL");
        next.arg(NEXT).arg(2).arg(names.events()).arg(names.sender());
        next.arg(self.node.to_string()).arg(hold.as_millis().max(1).to_string()).arg(most);
        let read = self.run(&mut self.connection().await?, "EVAL of events", &next).await?;
        let Some((count, entries)): Option<(u64, Vec<Entry>)> = read else { return Ok(None) };
        let last = entries.last().map(|(id, _)| EventId(id.clone()));
        let events: Vec<_> = entries.iter().filter_map(entry::decode).collect();
        if events.len() < entries.len() {
            let unknown = entries.len() - events.len();
            tracing::warn!(unknown, "events that this release does not know are not sent: update this node");
        }
        Ok(Some(Waiting { events, last, count }))
    }

    async fn remove_up_to(&self, last: EventId) -> Result<u64, OutboxError> {
        let Some(behind) = entry::behind(&last) else { return Err(OutboxError("not an event".to_owned())) };
        let events = self.presence.names.events();
        let mut pipeline = redis::pipe();
        pipeline.cmd("XTRIM").arg(&events).arg("MINID").arg(behind).ignore();
        pipeline.cmd("XLEN").arg(&events);
        let mut connection = self.connection().await?;
        let left = self.commands.run_all(&mut connection, "XTRIM or XLEN", &pipeline).await;
        let (left,): (u64,) = left.map_err(OutboxError)?;
        Ok(left)
    }

    async fn give_up(&self) -> Result<(), OutboxError> {
        let mut release = redis::cmd("EVAL");
        release.arg(RELEASE).arg(1).arg(self.presence.names.sender()).arg(self.node.to_string());
        self.run(&mut self.connection().await?, "EVAL of a release", &release).await
    }
}

impl Outbox for RedisOutbox {
    fn members_of(&self, wants: WantsEvents) {
        self.presence.local.members_of(wants);
    }

    fn occupy(&self, channel: &Channel, is_occupied: bool) {
        self.presence.local.occupy(channel, is_occupied);
    }

    fn disconnected(&self, end: ConnectionEnd) {
        self.ends.push(end);
        self.presence.local.wake();
    }

    fn next(&self, most: usize, hold: Duration) -> OutboxFuture<Option<Waiting>> {
        let this = self.clone();
        Box::pin(async move { this.read(most, hold).await })
    }

    fn remove(&self, up_to: &EventId) -> OutboxFuture<u64> {
        let (this, last) = (self.clone(), up_to.clone());
        Box::pin(async move { this.remove_up_to(last).await })
    }

    fn release(&self) -> OutboxFuture<()> {
        let this = self.clone();
        Box::pin(async move { this.give_up().await })
    }

    fn bury(&self) -> OutboxFuture<()> {
        let this = self.clone();
        Box::pin(async move { this.bury_the_dead().await })
    }
}
