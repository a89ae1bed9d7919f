//! The connections of one process.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::plan::Share;
use crate::{
    client::Connection,
    clock::{Alarm, Moment},
    connection_pool::parent::Parent,
    latency::Latencies,
    machine,
};

/// The time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// The result of one process.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Part {
    /// From the beginning of a connection until its 101.
    pub latencies: Latencies,
    /// The moment of the last 101.
    pub last: Moment,
    /// Failures by kind.
    pub failures: BTreeMap<String, u64>,
}

pub(crate) async fn work(share: &Share, parent: &mut Parent) -> anyhow::Result<()> {
    let numbers = share.connections.connections.clone();
    machine::allow_connections(numbers.len())?;
    let Some(begin) = parent.ready().await? else { return Ok(()) };
    Alarm::new()?.until(begin).await?;
    let targets = numbers.filter_map(|number| Some((number, share.connections.target(number)?)));
    let opening = targets.map(|(number, target)| async move {
        let began = Moment::now();
        (began, Connection::open_from(target, share.connections.source(number)).await)
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
        if told_at.since(Moment(0)) + REPORT_EVERY < Moment::now().since(Moment(0)) {
            parent.progress(0, part.latencies.count() - told)?;
            (told, told_at) = (part.latencies.count(), Moment::now());
        }
    }
    parent.done(&part).await
}
