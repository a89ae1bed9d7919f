//! Several nodes as processes: the real binary.

use crate::{endpoint::Endpoint, process::Process};

/// Node processes, called `node-1`, `node-2` and so on, each with its own way to Redis.
#[derive(Debug)]
pub struct Fleet {
    /// The nodes, ready.
    pub nodes: Vec<Process>,
}

impl Fleet {
    /// Starts a node for each of these URLs of Redis.
    pub async fn start<S: AsRef<str>>(urls: impl IntoIterator<Item = S>) -> Self {
        let mut nodes = Vec::new();
        for (url, number) in urls.into_iter().zip(1..) {
            nodes.push(Process::start(&format!("node-{number}"), url.as_ref()).await);
        }
        Self { nodes }
    }

    /// The nodes' addresses.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.nodes.iter().map(Process::endpoint).collect()
    }
}
