//! When the nodes themselves say that they heard nothing: their counters, looked at all the while.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::record::Time;
use crate::{Endpoint, Metrics};

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(5);

const SECONDS: &str = "fanfare_broker_interruption_seconds_total";

/// A time during which a node may have missed messages, and counted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interruption {
    /// Which node.
    pub node: usize,
    /// When it began: by the seconds the node counted.
    pub from: Time,
    /// When it was over at the latest.
    pub to: Time,
    /// How long it was, as the node counted.
    pub lasted: Duration,
}

/// Looks at the nodes' counters.
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

    /// Looks a last time, and gives what there was.
    pub(super) async fn finish(self) -> Vec<Interruption> {
        self.stop.cancel();
        let mut all = Vec::new();
        for watching in self.watching {
            // A look that panicked saw nothing; there is none that does.
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
        // A node that is dead or frozen says nothing, and later more.
        if let Ok(Ok(metrics)) = timeout(PATIENCE, Metrics::of(node)).await {
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
