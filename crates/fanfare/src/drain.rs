//! The end of a node, which its clients hardly notice.
//!
//! | from | health, metrics | new clients, API | clients |
//! |---|---|---|---|
//! | the signal | ready: 503 | served | stay |
//! | `drain.grace` later | ready: 503 | 503 | are sent away at a pace, behind what is queued for them |
//! | the last has gone | listeners close; the node leaves the registry, then the broker; the last spans go | | |
//!
//! Invariants
//! - The broker is kept to the last, so that clients that are still connected send and get messages.
//! - Another process shares an inherited socket. Nothing is accepted from it after the signal, so that no new client
//!   comes to a node that would refuse it.

use std::{future::pending, time::Duration};

use fanfare_core::Disconnect;
use fanfare_hub::Pace;
use tokio::time::{sleep, timeout};

use crate::{config::Drain, node::Node, traces::LAST_SPANS};

/// The time for the steps after the last client: the registry, requests that are under way, the broker, the spans.
const LAST_STEPS: Duration = Duration::from_secs(1).saturating_add(LAST_SPANS);

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every client was told to go, and had the time to.
    Drained,
    /// `drain.timeout` is over: the clients that had not gone are cut off. This many had not even been told.
    TimedOut(u64),
    /// A second signal came: this many clients were cut off.
    AtOnce(u64),
}

impl Node {
    /// Ends the node as SIGTERM does.
    pub async fn stop(self) -> Ended {
        self.stop_unless(pending()).await
    }

    /// The same, or at once when `hurry` ends.
    pub async fn stop_unless(self, hurry: impl Future<Output = ()>) -> Ended {
        let (hub, limit) = (self.hub.clone(), self.drain.borrow().timeout);
        let left = || hub.metrics().connections.count();
        tokio::select! {
            drained = timeout(limit, self.drain()) => match drained {
                Ok(()) => Ended::Drained,
                Err(_) => Ended::TimedOut(left()),
            },
            () = hurry => Ended::AtOnce(left()),
        }
    }

    async fn drain(self) {
        let Drain { rate, grace, timeout } = *self.drain.borrow();
        self.gateway.leave();
        self.server.leave_inherited();
        let metrics = self.hub.metrics();
        metrics.draining.set(1);
        tracing::info!(
            connections = metrics.connections.count(),
            ?grace,
            ?timeout,
            "draining: not ready any more"
        );
        sleep(grace).await;
        self.gateway.refuse();
        let within = time_to_close(timeout.saturating_sub(grace), self.hub.settings.limits().goodbye);
        self.hub.drain.send_all_away(Pace { per_second: rate, within }, &Disconnect::Restart).await;
        tracing::info!("drained: every client has gone");
        self.closing.cancel();
        self.leaving.cancel();
        self.server.stopped().await;
        if let Err(error) = self.cluster.await {
            tracing::error!(%error, "the cluster view ended badly");
        }
        if let Err(error) = self.events.sender.await {
            tracing::error!(%error, "the sender of events ended badly");
        }
        self.broker.stop().await;
        if let Some(traces) = self.traces {
            traces.finish().await;
        }
    }
}

/// The time in which clients are told to go. The last of them needs some time after it. At least half of what is left,
/// or a short timeout would make a storm.
fn time_to_close(left: Duration, goodbye: Duration) -> Duration {
    left.saturating_sub(goodbye + LAST_STEPS).max(left / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_client_has_time_to_go() {
        let [second, goodbye] = [1, 5].map(Duration::from_secs);
        assert_eq!(time_to_close(25 * second, goodbye), 18 * second);
        assert_eq!(time_to_close(4 * second, goodbye), 2 * second);
        assert_eq!(time_to_close(Duration::ZERO, goodbye), Duration::ZERO);
    }
}
