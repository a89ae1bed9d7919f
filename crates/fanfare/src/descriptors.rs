//! The limit of descriptors of this process: each connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The present limit.
#[must_use]
pub fn now() -> usize {
    count(getrlimit(Resource::Nofile).current)
}

/// The highest limit that it may ask for.
#[must_use]
pub fn most() -> usize {
    count(getrlimit(Resource::Nofile).maximum)
}

/// Asks for the highest limit, as Go's runtime does: the lower default is for programs that use `select(2)`.
pub fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::info!(from = count(current), to = count(maximum), "descriptors raised"),
        Err(error) => tracing::warn!(%error, from = count(current), "descriptors could not be raised"),
    }
}

/// Without a limit the kernel's bound applies: `fs.nr_open`, which is 2^20 by default.
fn count(limit: Option<u64>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1 << 20)
}
