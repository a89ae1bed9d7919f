//! How many descriptors this process has: each connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many it has now.
#[must_use]
pub fn now() -> usize {
    count(getrlimit(Resource::Nofile).current)
}

/// How many it may ask for.
#[must_use]
pub fn most() -> usize {
    count(getrlimit(Resource::Nofile).maximum)
}

/// Asks for as many as there may be, as Go's runtime does: the lower default is for programs that use `select(2)`.
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

/// Without a limit there are still only so many: `fs.nr_open` is 2^20 unless somebody raised it.
fn count(limit: Option<u64>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1 << 20)
}
