//! A client that reads too slowly, or not at all.

use std::time::Duration;

use serde::Serialize;
use tokio::{io::AsyncReadExt as _, task::JoinHandle, time::sleep};

use crate::{
    client::{Connection, Target},
    servers::Metrics,
};

/// The receive buffer. The kernel doubles it, and gives at least a few KiB.
const RECEIVE_BUFFER: u32 = 4 << 10;

/// The count of sessions that ended as slow.
pub(super) const EVICTED: &str = "fanfare_slow_clients_total{policy=\"disconnect\"}";

/// The pace of a slow reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// It never reads. It reconnects as soon as it is closed.
    Never,
    /// It reads 4 KiB a second.
    Slowly,
}

/// A slow reader. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct SlowReader(JoinHandle<anyhow::Result<()>>);

impl SlowReader {
    pub(super) fn start(pace: Pace, target: Target, metrics: Metrics) -> Self {
        Self(tokio::spawn(async move {
            loop {
                match pace {
                    Pace::Never => never(&target, metrics).await?,
                    Pace::Slowly => slowly(&target).await?,
                }
            }
        }))
    }

    /// Whether it still runs. It ends early only by an error.
    pub(super) fn is_running(&self) -> bool {
        !self.0.is_finished()
    }
}

impl Drop for SlowReader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A client that does not read cannot see that it was closed: the server's count tells.
async fn never(target: &Target, metrics: Metrics) -> anyhow::Result<()> {
    let before = metrics.value(EVICTED).await?;
    let _stream = Connection::open_narrow(target, RECEIVE_BUFFER).await?;
    while metrics.value(EVICTED).await? == before {
        sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

async fn slowly(target: &Target) -> anyhow::Result<()> {
    let mut stream = Connection::open_narrow(target, RECEIVE_BUFFER).await?;
    let mut buffer = [0; 512];
    while stream.read(&mut buffer).await? > 0 {
        sleep(Duration::from_millis(125)).await;
    }
    Ok(())
}
