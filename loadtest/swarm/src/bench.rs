//! First figures of a Fanfare server, each beside its floor.

use std::{fmt, path::PathBuf};

use serde::Serialize;

use crate::{
    connection_pool::origin::Origin,
    idle,
    rounds::{self, Rounds, Shape},
    servers::Node,
};

/// The plan of the first figures.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The `fanfare` program.
    pub server: PathBuf,
    /// This crate's program; also the floor's server.
    pub swarm: PathBuf,
    /// Idle connections.
    pub connections: usize,
    /// Subscribers of the fan-out.
    pub subscribers: usize,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// Rounds of floor and server.
    pub rounds: usize,
    /// Messages of a round, to the floor and to the server each.
    pub messages: u64,
}

/// The result.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Memory per idle connection.
    pub idle: idle::Figures,
    /// CPU per delivery.
    pub fanout: Rounds,
}

/// Starts a server for each figure and measures.
///
/// # Errors
/// The server is missing, does not become ready, loses a message or ends a connection.
pub async fn run(plan: &Plan) -> anyhow::Result<Figures> {
    eprintln!("memory at {} idle connections …", plan.connections);
    let node = Node::start(&plan.server).await?;
    let memory = idle::Plan::of_memory(Origin::new(plan.swarm.clone()), node.pid()?, plan.connections);
    let idle = idle::run(&[node.target("/ws/idle")?], &memory).await?;
    node.stop().await?;

    eprintln!("CPU per delivery at {} subscribers …", plan.subscribers);
    let node = Node::start(&plan.server).await?;
    let &Plan { subscribers, bytes, rounds, messages, .. } = plan;
    let shape = Shape { subscribers, bytes, in_flight: 1, rounds, messages };
    let fanout = rounds::measure(&plan.swarm, shape, &node).await?;
    node.stop().await?;
    Ok(Figures { idle, fanout })
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}\n{}", self.idle, self.fanout)
    }
}
