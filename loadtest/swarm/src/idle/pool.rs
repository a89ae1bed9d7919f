//! Connections in processes of their own, that only answer pings.

use std::time::Duration;

use anyhow::bail;
use tokio::time::sleep;

use super::{ends::Ends, plan::Plan};
use crate::{
    client::Target,
    clock::Moment,
    connection_pool::{ConnectionPool, message::Kind},
};

pub(crate) struct IdlePool(ConnectionPool<Ends>);

impl IdlePool {
    pub(crate) async fn open(targets: &[Target], plan: &Plan) -> anyhow::Result<Self> {
        let shares = plan.origin.shares(targets, plan.connections)?;
        let mut pool = ConnectionPool::start(&plan.origin.swarm, Kind::Idle, shares).await?;
        pool.ready(|_| {}).await?;
        Ok(Self(pool))
    }

    /// Holds the connections for this time. An end of any of them is an error.
    pub(crate) async fn hold(&mut self, span: Duration) -> anyhow::Result<()> {
        tokio::select! {
            () = sleep(span) => Ok(()),
            message = self.0.next() => bail!("an idle connection: {:?}", message?),
        }
    }

    /// Lets the connections end from this moment on.
    pub(crate) async fn release(&mut self, at: Moment) -> anyhow::Result<()> {
        self.0.begin(at).await
    }

    /// Waits until all connections have ended.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<Ends> {
        let mut ends = Ends::default();
        self.0.done(|_| {}).await?.into_iter().for_each(|part| ends.merge(part));
        Ok(ends)
    }
}
