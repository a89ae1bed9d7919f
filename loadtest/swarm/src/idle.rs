//! Memory per idle connection.

use std::{fmt, time::Duration};

use anyhow::bail;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    client::Target,
    crowd,
    output::Table,
    process::{Memory, MemoryPer},
};

/// What a server is given to return what the handshakes needed: jemalloc's decay takes half a second, the
/// allocators of others a few.
pub const REST: Duration = Duration::from_secs(5);

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's process.
    pub pid: u32,
    /// Connections to open.
    pub connections: usize,
    /// The time between the last handshake and the reading.
    pub rest: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Connections that were opened.
    pub connections: usize,
    /// The process before.
    pub before: Memory,
    /// The process with all connections.
    pub after: Memory,
    /// The difference for each connection, in bytes.
    pub per_connection: MemoryPer,
}

/// Measures.
///
/// # Errors
/// A connection fails or ends, or the process cannot be read.
pub async fn run(target: &Target, plan: &Plan) -> anyhow::Result<Figures> {
    let before = Memory::of(plan.pid)?;
    let connections = crowd::open(std::iter::repeat_n(target, plan.connections)).await?;
    let mut tasks: JoinSet<_> = connections.into_iter().map(|connection| connection.run(|_, _| {})).collect();
    tokio::select! {
        () = tokio::time::sleep(plan.rest) => {}
        Some(ended) = tasks.join_next() => bail!("an idle connection ended: {}", ended?),
    }
    let after = Memory::of(plan.pid)?;
    let per_connection = after.grown_per(before, plan.connections);
    Ok(Figures { connections: plan.connections, before, after, per_connection })
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, before, after, per_connection } = self;
        let mut table = Table::new(["", "per connection", "before", "after"]);
        for (name, per, before, after) in [
            (
                "user memory (private, written)",
                per_connection.private_dirty,
                before.private_dirty,
                after.private_dirty,
            ),
            ("proportional set size", per_connection.pss, before.pss, after.pss),
            ("resident set size", per_connection.rss, before.rss, after.rss),
        ] {
            let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
            table.row([name.to_owned(), format!("{per:.0} B"), mib(before), mib(after)]);
        }
        write!(out, "{connections} idle connections:\n{table}")
    }
}
