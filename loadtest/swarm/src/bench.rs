//! First figures of a Fanfare server that is started for it, each beside its floor.

pub(crate) mod node;
mod rounds;

use std::{fmt, path::PathBuf};

use serde::Serialize;

use self::{node::Node, rounds::Rounds};
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
    let idle_plan = idle::Plan { pid: node.pid()?, connections: plan.connections, rest: idle::REST };
    let idle = idle::run(&node.target("/ws/idle")?, &idle_plan).await?;
    node.stop().await?;

    eprintln!("CPU per delivery at {} subscribers …", plan.subscribers);
    let node = Node::start(&plan.server).await?;
    let fanout = rounds::measure(plan, &node).await?;
    node.stop().await?;
    Ok(Figures { idle, fanout })
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}\n{}", self.idle, self.fanout)
    }
}
