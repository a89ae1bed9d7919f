//! The machine of a measurement, and its limits.

use std::fmt;

use anyhow::bail;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use procfs::{CpuInfo, Current as _, LoadAverage};
use serde::{Deserialize, Serialize};

/// Descriptors of a process apart from its connections: listeners, pipes, the runtime's own.
const SPARE_DESCRIPTORS: u64 = 64;

/// The machine. Absolute figures mean little without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The kernel's name of the processor.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The average number of processes that ran or waited in the minute before the measurement.
    pub load: f32,
}

impl Machine {
    /// This machine, now. An unreadable value is "unknown".
    #[must_use]
    pub fn this() -> Self {
        let unknown = || String::from("unknown");
        Self {
            cpu: CpuInfo::current()
                .ok()
                .and_then(|info| info.model_name(0).map(str::to_owned))
                .unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |release| release.trim().to_owned()),
            load: LoadAverage::current().map_or(f32::NAN, |load| load.one),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, kernel, load } = self;
        write!(out, "{cpu}, {cores} cores, Linux {kernel}, load {load:.1} before the start")
    }
}

/// Raises the limit of open descriptors to the hard limit, for this process and its children.
///
/// # Errors
/// The hard limit does not allow that many connections.
pub fn allow_connections(count: usize) -> anyhow::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    let needed = count as u64 + SPARE_DESCRIPTORS;
    if needed > hard {
        bail!("{count} connections need {needed} descriptors; the hard limit is {hard} (ulimit -Hn)");
    }
    Ok(())
}

/// The number of connections that a process may have, with its limit raised.
///
/// # Errors
/// The kernel's.
pub fn connections_per_process() -> anyhow::Result<usize> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(usize::try_from(hard.saturating_sub(SPARE_DESCRIPTORS)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_above_the_hard_limit_are_refused() {
        assert!(allow_connections(1).is_ok());
        let error = allow_connections(1 << 40).unwrap_err().to_string();
        assert!(error.contains("hard limit"), "{error}");
    }
}
