//! When the nodes themselves say that they heard nothing: their counters, looked at all the while.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::record::Time;
use crate::Endpoint;

const LOOK_EVERY: Duration = Duration::from_millis(100);

const SECONDS: &str = "fanfare_redis_interruption_seconds_total";

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
    let mut before: Option<(Time, Counters)> = None;
    loop {
        let is_last = stop.is_cancelled();
        let now = began.elapsed();
        // A node that is dead or frozen says nothing, and later more.
        if let Ok(Ok(counters)) = tokio::time::timeout(LOOK_EVERY * 50, Counters::of(node)).await {
            if let Some((earlier, before)) = before
                && counters.seconds > before.seconds
            {
                let lasted = Duration::from_secs_f64(counters.seconds - before.seconds);
                let to = began.elapsed();
                interruptions.push(Interruption {
                    node: number,
                    from: earlier.saturating_sub(lasted),
                    to,
                    lasted,
                });
            }
            before = Some((now, counters));
        }
        if is_last {
            return interruptions;
        }
        stop.run_until_cancelled(sleep(LOOK_EVERY)).await;
    }
}

#[derive(Debug, Clone, Copy)]
struct Counters {
    seconds: f64,
}

impl Counters {
    async fn of(node: Endpoint) -> io::Result<Self> {
        let metrics = scrape(node).await?;
        Ok(Self { seconds: sum(&metrics, SECONDS) })
    }
}

/// A node's metrics, without a panic where it has none to give.
async fn scrape(node: Endpoint) -> io::Result<String> {
    let mut stream = TcpStream::connect(node.address()).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", node.address());
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// All series of one name.
fn sum(metrics: &str, name: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with([' ', '{']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
    };
    metrics.lines().filter_map(value).sum()
}
