//! Ends sessions whose unfinished messages take too long, or too much memory.
//!
//! Invariants
//! - A message that is not whole after [`Limits::message_time`] ends its session. So a client cannot hold
//!   memory for ever with an unfinished message.
//! - The bytes that readers hold are bounded for the node ([`Limits::incomplete_total_bytes`]). Past the bound those
//!   sessions end first whose bytes times seconds are most, until the sum is an eighth below. Their readers are woken,
//!   and drop their bytes.

use std::{cmp::Reverse, sync::Arc};

use arc_swap::ArcSwap;
use fanfare_core::{Disconnect, Limits};

use crate::{
    delivery::{dispatcher::Dispatcher, shard::Shard},
    ending::goodbye::Goodbyes,
    metrics::HubMetrics,
    session::incomplete::BufferBound,
};

/// Keeps both bounds.
pub(crate) struct MessageBounds {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) goodbyes: Arc<Goodbyes>,
    pub(crate) limits: Arc<ArcSwap<Limits>>,
    pub(crate) bound: Arc<BufferBound>,
    pub(crate) metrics: Arc<HubMetrics>,
}

impl MessageBounds {
    /// Ends the sessions of a shard whose messages take too long, once a turn of its clock.
    pub(crate) fn turn(&self, shard: &Shard) {
        let limit = self.limits.load().message_time;
        let (late, gone) = shard.incomplete.late(shard.now(), limit);
        self.metrics.incomplete.sub(gone);
        for session in late {
            self.goodbyes.end(&session, &Disconnect::MessageTooSlow { limit });
        }
    }

    /// Keeps the node's bound for as long as the node lives.
    pub(crate) async fn keep_bound(self: Arc<Self>) {
        loop {
            self.bound.pressed().await;
            let ended = self.relieve();
            if ended > 0 {
                tracing::warn!(
                    ended,
                    "limits.incomplete_total_bytes is passed: the clients whose unfinished messages held most for longest were closed"
                );
            }
        }
    }

    /// Ends sessions until the node is below its bound. The number of them.
    fn relieve(&self) -> usize {
        let bound = self.bound.bytes();
        let shards = self.dispatcher.shards().iter();
        let mut holders: Vec<_> = shards.flat_map(|shard| shard.incomplete.holders(shard.now())).collect();
        let mut held: usize = holders.iter().map(|holder| holder.bytes).sum();
        if held <= bound {
            return 0;
        }
        holders.sort_unstable_by_key(|holder| Reverse(holder.bytes as u64 * u64::from(holder.seconds)));
        let mut ended = 0;
        for holder in holders {
            if held <= bound - bound / 8 {
                break;
            }
            held -= holder.bytes;
            self.goodbyes.end(&holder.session, &Disconnect::MessageGaveWay);
            ended += 1;
        }
        ended
    }
}
