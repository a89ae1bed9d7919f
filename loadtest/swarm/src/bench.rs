//! First figures of a Fanfare server that is started for it, each beside its floor.

pub(crate) mod node;
pub(crate) mod rounds;

use std::{fmt, path::PathBuf, time::Duration};

use serde::Serialize;

use self::{
    node::Node,
    rounds::{Rounds, Shape},
};
use crate::{cli::BenchArgs, idle};

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The `fanfare` program.
    pub server: PathBuf,
    /// This crate's program, which is the floor's server too.
    pub swarm: PathBuf,
    /// Idle connections.
    pub connections: usize,
    /// Subscribers of the fan-out.
    pub subscribers: usize,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// Rounds of floor and server.
    pub rounds: usize,
    /// Messages of a round, to each of the two.
    pub messages: u64,
}

impl Plan {
    /// The plan that the flags say, with these programs.
    #[must_use]
    pub const fn new(args: &BenchArgs, server: PathBuf, swarm: PathBuf) -> Self {
        let &BenchArgs { connections, subscribers, bytes, rounds, messages, .. } = args;
        Self { server, swarm, connections, subscribers, bytes, rounds, messages }
    }

    fn idle(&self, pid: u32) -> idle::Plan {
        idle::Plan {
            swarm: self.swarm.clone(),
            pids: vec![pid],
            connections: self.connections,
            rest: idle::REST,
            watch: Duration::ZERO,
            processes: None,
            sources: Vec::new(),
        }
    }
}

/// What came of it.
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
    let idle = idle::run(&[node.target("/ws/idle")?], &plan.idle(node.pid()?)).await?;
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
