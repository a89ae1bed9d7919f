//! The CPU and the memory of a process, as the kernel counts them.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

use anyhow::{Context as _, bail};
use nix::{time::clock_getcpuclockid, unistd::Pid};
use procfs::process::Process;
use serde::{Deserialize, Serialize};

/// CPU time of all threads of a process, including ended ones.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cpu {
    /// Seconds of the process's CPU clock, exact to the nanosecond. NaN: not measured.
    total: f64,
    /// Clock ticks (a hundredth of a second): exact enough for proportions only.
    user_ticks: u64,
    system_ticks: u64,
}

impl Cpu {
    /// The CPU time of `pid` since it began.
    ///
    /// # Errors
    /// The process does not exist.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let process = process(pid)?;
        let clock =
            clock_getcpuclockid(Pid::from_raw(process.pid)).context("the CPU clock of the process")?;
        let total = Duration::from(clock.now().context("the CPU clock of the process")?).as_secs_f64();
        let stat = process.stat().context("/proc/PID/stat")?;
        Ok(Self { total, user_ticks: stat.utime, system_ticks: stat.stime })
    }

    /// The CPU time of these processes together; NaN without any.
    ///
    /// # Errors
    /// A process does not exist.
    pub fn of_all(pids: &[u32]) -> anyhow::Result<Self> {
        let none = Self { total: if pids.is_empty() { f64::NAN } else { 0.0 }, ..Self::default() };
        pids.iter().try_fold(none, |sum, pid| Ok(sum + Self::of(*pid)?))
    }

    /// The part of one core over this time.
    #[must_use]
    pub fn share_of(self, span: Duration) -> f64 {
        self.total / span.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Microseconds for each of `count` pieces of work.
    #[must_use]
    pub fn per(self, count: u64) -> CpuPer {
        let total = self.total * 1e6 / count.max(1) as f64;
        let ticks = (self.user_ticks + self.system_ticks).max(1) as f64;
        let user = total * self.user_ticks as f64 / ticks;
        CpuPer { total, user, system: total - user }
    }
}

impl Add for Cpu {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            total: self.total + other.total,
            user_ticks: self.user_ticks + other.user_ticks,
            system_ticks: self.system_ticks + other.system_ticks,
        }
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            total: self.total - before.total,
            user_ticks: self.user_ticks.saturating_sub(before.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(before.system_ticks),
        }
    }
}

/// CPU time per piece of work, in microseconds. `total` is exact; its parts are the kernel's samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuPer {
    /// The sum of both parts.
    pub total: f64,
    /// The part outside the kernel.
    pub user: f64,
    /// The part inside the kernel.
    pub system: f64,
}

/// Memory of a process, in bytes (`/proc/PID/smaps_rollup`), without the kernel's memory for its sockets. NaN: not
/// measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Written pages that no other process shares: the heap and the stacks.
    pub private_dirty: f64,
    /// Resident pages; a page that N processes share counts as 1/N.
    pub pss: f64,
    /// Resident pages, with those of the program's file.
    pub rss: f64,
}

impl Memory {
    /// The memory of `pid` now.
    ///
    /// # Errors
    /// The process does not exist, or belongs to another user.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let rollup = process(pid)?.smaps_rollup().context("/proc/PID/smaps_rollup")?;
        let map =
            rollup.memory_map_rollup.0.first().context("/proc/PID/smaps_rollup is empty")?.extension.clone();
        let bytes = |field: &str| match map.map.get(field) {
            Some(&bytes) => Ok(bytes as f64),
            None => bail!("smaps_rollup has no {field}"),
        };
        Ok(Self { private_dirty: bytes("Private_Dirty")?, pss: bytes("Pss")?, rss: bytes("Rss")? })
    }

    /// The memory of these processes together; NaN without any.
    ///
    /// # Errors
    /// A process does not exist.
    pub fn of_all(pids: &[u32]) -> anyhow::Result<Self> {
        let none = if pids.is_empty() { f64::NAN } else { 0.0 };
        let none = Self { private_dirty: none, pss: none, rss: none };
        pids.iter().try_fold(none, |sum, pid| {
            let one = Self::of(*pid)?;
            Ok(Self {
                private_dirty: sum.private_dirty + one.private_dirty,
                pss: sum.pss + one.pss,
                rss: sum.rss + one.rss,
            })
        })
    }

    /// The growth since `before` for each of `count`, in bytes.
    #[must_use]
    pub fn grown_per(self, before: Self, count: usize) -> MemoryPer {
        let per = |now: f64, before: f64| (now - before) / count.max(1) as f64;
        MemoryPer {
            private_dirty: per(self.private_dirty, before.private_dirty),
            pss: per(self.pss, before.pss),
            rss: per(self.rss, before.rss),
        }
    }
}

/// Memory per connection, in bytes; the fields are those of [`Memory`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryPer {
    /// Written pages that no other process shares.
    pub private_dirty: f64,
    /// Resident pages; a page that N processes share counts as 1/N.
    pub pss: f64,
    /// Resident pages.
    pub rss: f64,
}

fn process(pid: u32) -> anyhow::Result<Process> {
    let pid = i32::try_from(pid).context("not the id of a process")?;
    Process::new(pid).with_context(|| format!("process {pid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_cpu_is_the_sum_of_its_parts() {
        let before = Cpu::of(std::process::id()).unwrap();
        let mut hash = 1_u64;
        let used = loop {
            for round in 0..1_000_000_u64 {
                hash = std::hint::black_box(hash.wrapping_mul(31) ^ round);
            }
            let used = Cpu::of(std::process::id()).unwrap() - before;
            if used.user_ticks > 2 {
                break used;
            }
        };
        let per = used.per(10);
        assert!(per.total > 0.0 && (per.user + per.system - per.total).abs() < 1e-6, "{per:?}");
        assert!((used.per(5).total - 2.0 * per.total).abs() < 1e-6);
    }

    #[test]
    fn written_memory_is_counted() {
        let before = Memory::of(std::process::id()).unwrap();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let per = Memory::of(std::process::id()).unwrap().grown_per(before, 1 << 20);
        drop(block);
        assert!(per.private_dirty > 60.0 && per.pss > 60.0 && per.rss > 60.0, "{per:?}");
    }

    #[test]
    fn without_processes_all_is_nan() {
        let (cpu, memory) = (Cpu::of_all(&[]).unwrap(), Memory::of_all(&[]).unwrap());
        assert!((cpu - cpu).per(1).system.is_nan() && memory.grown_per(memory, 1).rss.is_nan());
    }

    #[test]
    fn an_unknown_process_is_an_error() {
        assert!(Cpu::of(u32::MAX).is_err() && Memory::of(u32::MAX).is_err());
    }
}
