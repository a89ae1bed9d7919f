//! The machine, as far as defaults depend on it.

use super::words;
use crate::{descriptors, scrape::memory};

/// The facts on which defaults depend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The number of cores that this process may use.
    pub cores: usize,
    /// The most descriptors that this process may have.
    pub descriptors: usize,
    /// The memory that this process may use, in bytes.
    pub memory: usize,
    /// The name of this host, or "node" if a node cannot have that name.
    pub hostname: String,
}

impl Facts {
    /// The facts of this machine.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let hostname = gethostname::gethostname().to_string_lossy().into_owned();
        Self {
            descriptors: descriptors::most(),
            memory: memory::limit(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            hostname: (words::NODE.parse)(&hostname).unwrap_or_else(|_| "node".into()),
        }
    }
}
