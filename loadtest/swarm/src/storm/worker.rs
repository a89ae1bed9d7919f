//! One process's connections.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::Share;
use crate::{
    client::Connection,
    clock::{Alarm, Moment},
    flock::worker::Parent,
    latency::Latencies,
    machine,
};

/// How often the parent is told how far this is.
const GLANCE: Duration = Duration::from_millis(100);

/// What one process found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Part {
    /// From when a client began to connect until it had its 101.
    pub latencies: Latencies,
    /// When the last one had it.
    pub last: Moment,
    /// Failures by kind.
    pub failures: BTreeMap<String, u64>,
}

pub(crate) async fn work(share: &Share, parent: &mut Parent) -> anyhow::Result<()> {
    machine::allow_connections(share.connections.len())?;
    let Some(begin) = parent.ready().await? else { return Ok(()) };
    Alarm::new()?.until(begin).await?;
    let nodes = share.targets.len().max(1);
    let targets =
        share.connections.clone().filter_map(|number| Some((number, share.targets.get(number % nodes)?)));
    let opening = targets.map(|(number, target)| async move {
        let began = Moment::now();
        (began, Connection::open_from(target, share.sources.of(number)).await)
    });
    let mut opened = stream::iter(opening).buffer_unordered(share.at_once.max(1));
    let (mut part, mut staying) = (Part::default(), JoinSet::new());
    let (mut told, mut told_at) = (0, Moment::now());
    while let Some((began, result)) = opened.next().await {
        match result {
            Ok(connection) => {
                part.last = Moment::now();
                part.latencies.record(part.last.since(began));
                staying.spawn(connection.count(|| {}));
            }
            Err(error) => *part.failures.entry(error.kind()).or_default() += 1,
        }
        if told_at.since(Moment(0)) + GLANCE < Moment::now().since(Moment(0)) {
            parent.progress(0, part.latencies.count() - told)?;
            (told, told_at) = (part.latencies.count(), Moment::now());
        }
    }
    parent.done(&part).await
}
