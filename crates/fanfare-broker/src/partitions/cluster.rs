//! Starts a Redis broker for each partition of a Cluster, and the task that knows where they are.

use std::sync::Arc;

use fanfare_core::{BrokerEvents, Channel};
use tokio_util::sync::CancellationToken;

use super::{
    placement::Placement,
    start::{Member, start_members},
};
use crate::{
    driver::StartError,
    node::{Node, Parts},
    redis::{
        cluster::{
            slots::{self, Seated},
            topology::{Asking, Slot, Topology},
        },
        connection::{
            address::RedisConfig,
            place::{Cluster, Login},
        },
    },
    tasks::Tasks,
};

/// The slot of a Cluster that the names of a channel are in.
#[must_use]
pub fn slot_of(cluster: &Cluster, channel: &Channel) -> Option<u16> {
    let partitions = slots::partitions(cluster.partitions);
    let names: Vec<_> = partitions.iter().map(name).collect();
    let at = Placement::new(names.iter().map(String::as_str)).of(channel);
    partitions.get(usize::from(at.0)).map(|seated| seated.slot)
}

fn name(seated: &Seated) -> String {
    format!("slot-{}", seated.slot)
}

/// Starts the partitions of this Cluster, which `config` leads to.
///
/// # Errors
/// The prefix has a brace. Else mistakes in this process only.
pub(crate) fn start_cluster(
    node: &Node,
    config: &RedisConfig,
    cluster: &Cluster,
    events: &Arc<dyn BrokerEvents>,
    metrics: &prometheus::Registry,
    tasks: &Tasks,
    stop: &CancellationToken,
) -> Result<Parts, StartError> {
    if config.prefix.has_brace() {
        return Err(StartError::Brace(config.prefix.clone()));
    }
    if cluster.is_plain {
        tracing::warn!(
            "?pubsub=plain: each message goes to all nodes of the Cluster, so more nodes do not carry more messages; from \
             Redis 7 on leave it out"
        );
    }
    let topology = Arc::new(Topology::default());
    let partitions = slots::partitions(cluster.partitions);
    let member = |(at, seated): (usize, &Seated)| Member {
        name: name(seated),
        config: RedisConfig { prefix: config.prefix.tagged(&seated.tag), ..config.clone() },
        slot: Some(Slot { topology: topology.clone(), at, number: seated.slot }),
    };
    let members = partitions.iter().enumerate().map(member).collect();
    let (parts, first) = start_members(node, members, events, metrics, tasks, stop)?;
    if let Some(metrics) = first {
        let asking = Asking {
            topology,
            seeds: cluster.endpoints.clone(),
            slots: partitions.iter().map(|seated| seated.slot).collect(),
            tls: config.tls.clone(),
            login: Login { username: config.username.clone(), password: config.password.clone() },
            client_name: format!("{}:{}:cluster", config.prefix, node.incarnation),
            metrics,
            stop: stop.clone(),
        };
        tasks.spawn(asking.run());
    }
    Ok(parts)
}
