//! The idle connections of one process.

use std::pin::pin;

use anyhow::bail;
use futures_util::TryStreamExt as _;
use tokio::task::JoinSet;

use super::ends::Ends;
use crate::{
    client::Ended,
    clock::Moment,
    connect,
    connection_pool::{origin::Share, parent::Parent},
};

pub(crate) async fn work(share: &Share, parent: &mut Parent) -> anyhow::Result<()> {
    let targets: Vec<_> = share.connections.clone().filter_map(|number| share.target(number)).collect();
    let source = |place| share.source(share.connections.start + place);
    let mut tasks = JoinSet::new();
    let mut opening = pin!(connect::one_by_one(targets.into_iter(), source)?);
    while let Some(connection) = opening.try_next().await? {
        tasks.spawn(connection.count(|| {}));
    }
    rest(tasks, parent).await
}

/// Waits until the parent has gone, or lets the connections end: then until they have ended.
async fn rest(mut tasks: JoinSet<Ended>, parent: &mut Parent) -> anyhow::Result<()> {
    let released = tokio::select! {
        heard = parent.ready() => heard?,
        Some(ended) = tasks.join_next() => bail!("an idle connection ended: {}", ended?),
    };
    let Some(released) = released else { return Ok(()) };
    let mut ends = Ends::default();
    while let Some(ended) = tasks.join_next().await {
        ends.add(Moment::now().since(released), &ended?);
    }
    parent.done(&ends).await
}
