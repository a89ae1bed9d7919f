//! The end of a node, which its clients hardly notice.
//!
//! | from | health, metrics | new clients, API | clients |
//! |---|---|---|---|
//! | the signal | ready: 503 | served | stay |
//! | `drain.grace` later | ready: 503 | 503 | are sent away at a pace, behind what is queued for them |
//! | the last has gone | listeners close; the node leaves the registry, then the broker; the last spans go | | |
//!
//! Invariants
//! - The broker is kept to the last, so that whoever is still here sends and gets messages.
//! - An inherited socket is another process' too: nothing is accepted from it after the signal, so that no new client
//!   comes to a node that would turn it away.

use std::{future::pending, time::Duration};

use fanfare_core::Disconnect;
use fanfare_hub::Pace;
use tokio::time::{sleep, timeout};

use crate::{config::Drain, node::Node, traces::LAST_SPANS};

/// For what is left when the clients have gone: the registry, requests that were under way, the broker; then the spans.
const LAST_STEPS: Duration = Duration::from_secs(1).saturating_add(LAST_SPANS);

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every client was sent away, and had the time to go.
    Drained,
    /// Not within `drain.timeout`: who had not gone is cut off. So many had not even been told.
    TimedOut(u64),
    /// At once, because somebody asked for it: so many clients were cut off.
    AtOnce(u64),
}

impl Node {
    /// Ends it as SIGTERM does.
    pub async fn stop(self) -> Ended {
        self.stop_unless(pending()).await
    }

    /// The same, and at once when `impatience` ends.
    pub async fn stop_unless(self, impatience: impl Future<Output = ()>) -> Ended {
        let (hub, limit) = (self.hub.clone(), self.drain.borrow().timeout);
        let left = || hub.metrics().connections.count();
        tokio::select! {
            drained = timeout(limit, self.drain()) => match drained {
                Ok(()) => Ended::Drained,
                Err(_) => Ended::TimedOut(left()),
            },
            () = impatience => Ended::AtOnce(left()),
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
        self.broker.stop().await;
        if let Some(traces) = self.traces {
            traces.finish().await;
        }
    }
}

/// Of the time that is left, what is for telling clients to go: the last of them needs some to do so. No less than
/// half of it, or a short timeout would make a storm.
fn time_to_close(left: Duration, goodbye: Duration) -> Duration {
    left.saturating_sub(goodbye + LAST_STEPS).max(left / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_client_has_time_to_go_and_the_first_are_no_storm() {
        let [second, goodbye] = [1, 5].map(Duration::from_secs);
        assert_eq!(time_to_close(25 * second, goodbye), 18 * second);
        assert_eq!(time_to_close(4 * second, goodbye), 2 * second);
        assert_eq!(time_to_close(Duration::ZERO, goodbye), Duration::ZERO);
    }
}
