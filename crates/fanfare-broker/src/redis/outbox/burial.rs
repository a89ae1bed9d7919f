//! Takes dead nodes out of their channels.
//!
//! Invariants
//! - A script takes a node out of a channel only where its heartbeat has expired, and tells what it changed. So of nodes
//!   that do so at the same time one tells.
//! - A call of the script is about a part of a channel, so that Redis does not stand still for others. The node stays in
//!   the channel until a burial took out all its clients there, and the node wrote nothing meanwhile.
//! - A node stays listed until it is out of all its channels: a burial that ends early is gone on with.

use std::collections::HashMap;

use fanfare_core::{Channel, Incarnation, outbox::OutboxError};

use super::{reader::RedisOutbox, script::Subject};
use crate::redis::{connection::pool::PooledConnection, presence::BATCH};

/// The channels of one pipeline.
const CHANNELS: usize = 100;

/// The answer of the script: the place of the next part, whether the node is out of the channel, how many events were
/// dropped, and the entries that were removed. `None`: the node lives.
type Buried = Option<(u64, bool, u64, Vec<(Vec<u8>, Vec<u8>)>)>;

/// One node taking another one out of its channels.
struct Burial {
    node: Incarnation,
    /// Unlike that of all other burials.
    name: u64,
    /// Whether it is out of all channels that were tried.
    is_out: bool,
}

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
        let mut burial = Burial { node, name: rand::random(), is_out: true };
        loop {
            let mut scan = redis::cmd("HSCAN");
            scan.arg(names.occupies(node)).arg(cursor).arg("COUNT").arg(CHANNELS);
            let (next, fields): (u64, Vec<(String, String)>) = self.run(connection, "HSCAN", &scan).await?;
            let channels: Vec<_> =
                fields.iter().filter_map(|(channel, _)| Channel::new(channel).ok()).collect();
            for channels in channels.chunks(CHANNELS) {
                if !self.bury_in(connection, &mut burial, channels).await? {
                    return Ok(());
                }
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        if !burial.is_out {
            return Ok(());
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
        burial: &mut Burial,
        channels: &[Channel],
    ) -> Result<bool, OutboxError> {
        let mut parts: Vec<_> = channels.iter().map(|channel| (channel, 0_u64)).collect();
        let mut is_dead = true;
        while is_dead && !parts.is_empty() {
            let buried = self.bury_parts(connection, burial, &parts).await?;
            let mut next_parts = Vec::new();
            for ((channel, _), buried) in parts.into_iter().zip(buried) {
                let Some((next, is_out, dropped, left)) = buried else {
                    is_dead = false;
                    continue;
                };
                self.presence.metrics.events_dropped(dropped);
                self.presence.tell_removed(channel, &left);
                if next == 0 {
                    burial.is_out &= is_out;
                } else {
                    next_parts.push((channel, next));
                }
            }
            parts = next_parts;
        }
        Ok(is_dead)
    }

    /// Calls the script for a part of each of these channels, which together are about [`BATCH`] clients.
    async fn bury_parts(
        &self,
        connection: &mut PooledConnection,
        burial: &Burial,
        parts: &[(&Channel, u64)],
    ) -> Result<Vec<Buried>, OutboxError> {
        let (names, script) = (&self.presence.names, &self.presence.scripts.bury);
        let mut pipeline = redis::pipe();
        script.load(&mut pipeline);
        let clients = BATCH / parts.len().max(1);
        for (channel, place) in parts {
            let subject = Subject { names, node: burial.node, channel };
            let mut call = script.call(subject, &[names.heartbeat_of(burial.node)]);
            call.arg(place).arg(clients).arg(burial.name);
            pipeline.add_command(call);
        }
        self.presence.note_removal(std::iter::once(burial.node), &mut pipeline);
        let buried = self.commands.run_all(connection, "SCRIPT LOAD, EVALSHA or DEL", &pipeline).await;
        buried.map_err(OutboxError)
    }
}
