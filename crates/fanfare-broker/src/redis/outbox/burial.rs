//! Takes dead nodes out of their channels.
//!
//! Invariants
//! - A script takes a node out of a channel only where its heartbeat has expired, and tells what it changed. So of nodes
//!   that do so at the same time one tells.
//! - A node stays listed until it is out of all its channels: a burial that ends early is gone on with.

use std::collections::HashMap;

use fanfare_core::{Channel, Incarnation, outbox::OutboxError};

use super::{reader::RedisOutbox, script::Subject};
use crate::redis::connection::pool::PooledConnection;

/// The channels of one pipeline.
const BATCH: usize = 100;

/// The answer of the script: how many events were dropped, and the entries that were removed. `None`: the node lives.
type Buried = Option<(u64, Vec<(Vec<u8>, Vec<u8>)>)>;

impl RedisOutbox {
    pub(super) async fn bury_the_dead(&self) -> Result<(), OutboxError> {
        let occupying = redis::cmd("HGETALL").arg(self.presence.names.occupying()).to_owned();
        let mut connection = self.connection().await?;
        let occupying: HashMap<String, String> = self.run(&mut connection, "HGETALL", &occupying).await?;
        let nodes = occupying.keys().filter_map(|node| u64::from_str_radix(node, 16).ok()).map(Incarnation);
        let others = nodes.filter(|node| *node != self.node).collect();
        let dead = self.presence.dead(&mut connection, others).await;
        for node in dead.map_err(|error| OutboxError(error.0))? {
            self.bury_node(&mut connection, node).await?;
        }
        Ok(())
    }

    async fn bury_node(
        &self,
        connection: &mut PooledConnection,
        node: Incarnation,
    ) -> Result<(), OutboxError> {
        let (names, mut cursor) = (&self.presence.names, 0_u64);
        loop {
            let mut scan = redis::cmd("HSCAN");
            scan.arg(names.occupies(node)).arg(cursor).arg("COUNT").arg(BATCH);
            let (next, fields): (u64, Vec<(String, String)>) = self.run(connection, "HSCAN", &scan).await?;
            let channels: Vec<_> =
                fields.iter().filter_map(|(channel, _)| Channel::new(channel).ok()).collect();
            if !self.bury_in(connection, node, &channels).await? {
                return Ok(());
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        tracing::info!(%node, "channels of a dead node were vacated for the events");
        let mut remove = redis::pipe();
        remove.cmd("HDEL").arg(names.occupying()).arg(node.to_string()).ignore();
        self.presence.note_removal(std::iter::once(node), &mut remove);
        self.commands.run_all(connection, "HDEL or DEL", &remove).await.map_err(OutboxError)
    }

    /// Takes a node out of these channels. Whether it is dead.
    async fn bury_in(
        &self,
        connection: &mut PooledConnection,
        node: Incarnation,
        channels: &[Channel],
    ) -> Result<bool, OutboxError> {
        if channels.is_empty() {
            return Ok(true);
        }
        let (names, script) = (&self.presence.names, &self.presence.scripts.bury);
        let mut pipeline = redis::pipe();
        script.load(&mut pipeline);
        for channel in channels {
            let subject = Subject { names, node, channel };
            pipeline.add_command(script.call(subject, &[names.heartbeat_of(node)]));
        }
        self.presence.note_removal(std::iter::once(node), &mut pipeline);
        let buried = self.commands.run_all(connection, "SCRIPT LOAD, EVALSHA or DEL", &pipeline).await;
        let buried: Vec<Buried> = buried.map_err(OutboxError)?;
        let mut is_dead = true;
        for (channel, buried) in channels.iter().zip(buried) {
            let Some((dropped, left)) = buried else {
                is_dead = false;
                continue;
            };
            self.presence.metrics.events_dropped(dropped);
            self.presence.tell_removed(channel, &left);
        }
        Ok(is_dead)
    }
}
