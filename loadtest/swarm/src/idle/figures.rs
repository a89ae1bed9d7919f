//! The result.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    number::{figure, mib},
    process::{Memory, MemoryPer},
    table::Table,
};

/// The cost of idle connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// Connections that were opened.
    pub connections: usize,
    /// The processes' memory before.
    pub before: Memory,
    /// The processes' memory with all connections.
    pub after: Memory,
    /// The difference for each connection, in bytes.
    pub per_connection: MemoryPer,
    /// The time in which CPU was measured, in seconds.
    pub watched: f64,
    /// The servers' CPU in that time, in cores.
    pub cores: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, before, after, per_connection, watched, cores } = self;
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
            table.row([name.to_owned(), figure(per, 0, "B"), mib(before), mib(after)]);
        }
        write!(out, "{connections} idle connections:\n{table}")?;
        if *watched > 0.0 {
            writeln!(out, "  CPU over {watched:.0} s: {}", figure(100.0 * cores, 2, "% of a core"))?;
        }
        Ok(())
    }
}
