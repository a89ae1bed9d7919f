//! Where the connections of a run come from, and the share of each process.

use std::{net::IpAddr, ops::Range, path::PathBuf};

use anyhow::bail;
use serde::{Deserialize, Serialize};

use crate::{client::Target, machine, sources::Sources};

/// The connections of one process, even where the machine allows more: with more of them a second process helps.
const PER_PROCESS: usize = 19_000;

/// The processes and the addresses that connections come from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// This crate's program.
    pub swarm: PathBuf,
    /// The number of processes. `None`: as many as descriptors demand.
    pub processes: Option<usize>,
    /// The source addresses. Without any: see [`Sources`].
    pub sources: Vec<IpAddr>,
}

/// The connections of one process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Share {
    /// The nodes; connections go round them.
    pub targets: Vec<Target>,
    /// The addresses that connections come from.
    pub sources: Sources,
    /// The numbers of this process's connections, among those of the run.
    pub connections: Range<usize>,
}

impl Origin {
    /// As many processes and addresses as the run demands.
    #[must_use]
    pub const fn new(swarm: PathBuf) -> Self {
        Self { swarm, processes: None, sources: Vec::new() }
    }

    /// The share of each process.
    ///
    /// # Errors
    /// The processes may not have that many connections.
    pub fn shares(&self, targets: &[Target], connections: usize) -> anyhow::Result<Vec<Share>> {
        let sources = Sources::new(&self.sources, targets.iter().map(Target::address), connections);
        let share = |connections| Share { targets: targets.to_vec(), sources: sources.clone(), connections };
        Ok(split(connections, self.processes)?.into_iter().map(share).collect())
    }
}

impl Share {
    /// The node of a connection, where connections go round the nodes.
    #[must_use]
    pub fn target(&self, connection: usize) -> Option<&Target> {
        self.targets.get(connection % self.targets.len().max(1))
    }

    /// The source address of a connection.
    #[must_use]
    pub fn source(&self, connection: usize) -> Option<IpAddr> {
        self.sources.of(connection)
    }
}

/// The numbers `0..count` as one range for each process.
fn split(count: usize, processes: Option<usize>) -> anyhow::Result<Vec<Range<usize>>> {
    let most = machine::connections_per_process()?;
    let processes = processes.unwrap_or_else(|| count.div_ceil(PER_PROCESS.min(most)).max(1));
    if count.div_ceil(processes) > most {
        bail!("{count} connections in {processes} processes: a process may have {most} here (ulimit -Hn)");
    }
    Ok((0..processes).map(|part| part * count / processes..(part + 1) * count / processes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_the_whole_and_stay_small() {
        for count in [0, 1, 19_000, 19_001, 50_000] {
            let parts = split(count, None).unwrap();
            assert_eq!(parts.iter().map(Range::len).sum::<usize>(), count);
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(parts.iter().all(|part| part.len() <= PER_PROCESS), "{parts:?}");
        }
        assert_eq!(split(10, Some(3)).unwrap(), [0..3, 3..6, 6..10]);
    }

    #[test]
    fn too_many_connections_per_process_are_refused() {
        assert!(split(usize::MAX / 4, Some(1)).is_err());
    }
}
