//! The interruptions that the nodes themselves count: a watch on their counters.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::record::Time;
use crate::endpoint::Endpoint;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The longest time for a look.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

const SECONDS: &str = "fanfare_broker_interruption_seconds_total";

/// A time in which a node may have missed messages, as the node counted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interruption {
    /// The number of the node.
    pub node: usize,
    /// The beginning, by the counted seconds.
    pub from: Time,
    /// The latest end.
    pub to: Time,
    /// The counted time.
    pub lasted: Duration,
}

/// The watch on the nodes' counters.
#[derive(Debug)]
pub(super) struct Watch {
    stop: CancellationToken,
    watching: Vec<JoinHandle<Vec<Interruption>>>,
}

impl Watch {
    pub(super) fn start(nodes: Vec<Endpoint>, began: Instant) -> Self {
        let stop = CancellationToken::new();
        let watch = |(number, node)| tokio::spawn(watch(number, node, began, stop.clone()));
        let watching = nodes.into_iter().enumerate().map(watch).collect();
        Self { stop, watching }
    }

    /// Looks a last time. Returns all interruptions.
    pub(super) async fn finish(self) -> Vec<Interruption> {
        self.stop.cancel();
        let mut all = Vec::new();
        for watching in self.watching {
            // A look does not panic.
            all.extend(watching.await.unwrap_or_default());
        }
        all
    }
}

async fn watch(number: usize, node: Endpoint, began: Instant, stop: CancellationToken) -> Vec<Interruption> {
    let mut interruptions = Vec::new();
    let mut before: Option<(Time, f64)> = None;
    loop {
        let is_last = stop.is_cancelled();
        let now = began.elapsed();
        // A dead or frozen node does not answer. A frozen one counts more later.
        if let Ok(Ok(metrics)) = timeout(LOOK_TIMEOUT, node.try_metrics()).await {
            let seconds = metrics.sum(SECONDS);
            if let Some((earlier, counted)) = before
                && seconds > counted
            {
                let lasted = Duration::from_secs_f64(seconds - counted);
                let (from, to) = (earlier.saturating_sub(lasted), began.elapsed());
                interruptions.push(Interruption { node: number, from, to, lasted });
            }
            before = Some((now, seconds));
        }
        if is_last {
            return interruptions;
        }
        stop.run_until_cancelled(sleep(LOOK_EVERY)).await;
    }
}
