//! The memory that this process may use, and the part that is left, with sockets in the kernel: by its control groups,
//! of version 2 or 1, and by the machine. The one with the least left ends the process first.
//!
//! The use of a group is counted as Kubernetes does: files that the kernel can drop at once (`inactive_file`) are free
//! (<https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files>).

use std::{
    fs,
    path::{Path, PathBuf},
};

use procfs::{Current, Meminfo, ProcessCGroup, process::Process};

use super::scraped::{Kind, Scraped};

pub(super) fn scraped() -> prometheus::Result<Scraped<2>> {
    let table = [
        (
            "fanfare_memory_limit_bytes",
            "Memory that there is for the process: of its control group that has least left, or of the machine",
            Kind::Gauge,
        ),
        (
            "fanfare_memory_available_bytes",
            "What is left of it; sockets and everybody else in it are taken into account",
            Kind::Gauge,
        ),
    ];
    Scraped::new(table, || {
        let tightest = tightest(&groups());
        [tightest.map(|capacity| capacity.limit as f64), tightest.map(|capacity| capacity.available as f64)]
    })
}

/// The limit, and the part that is left, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Capacity {
    limit: u64,
    available: u64,
}

/// The files of a control group, in one of its versions.
#[derive(Debug, Clone, Copy)]
struct Version {
    root: &'static str,
    limit: &'static str,
    usage: &'static str,
    /// The line of `memory.stat` that includes the groups in the group.
    inactive_file: &'static str,
}

const VERSION_2: Version = Version {
    root: "/sys/fs/cgroup",
    limit: "memory.max",
    usage: "memory.current",
    inactive_file: "inactive_file",
};

const VERSION_1: Version = Version {
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    inactive_file: "total_inactive_file",
};

/// A control group that this process is in.
#[derive(Debug)]
struct Group {
    version: Version,
    folder: PathBuf,
}

impl Group {
    /// `None` without a limit, or if the group cannot be seen from here.
    fn capacity(&self) -> Option<Capacity> {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).ok();
        // Without a limit it is "max", or a number past all memory.
        let limit = read(self.version.limit)?.trim().parse::<u64>().ok()?;
        let usage = read(self.version.usage)?.trim().parse::<u64>().ok()?;
        let inactive = read("memory.stat").and_then(|stat| field(&stat, self.version.inactive_file));
        let used = usage.saturating_sub(inactive.unwrap_or(0));
        Some(Capacity { limit, available: limit.saturating_sub(used) })
    }
}

fn field(stat: &str, name: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// The process' own groups, and the groups around them. In a container the files are at the root of the hierarchy,
/// whatever name the process' own group has.
fn groups() -> Vec<Group> {
    let own = Process::myself().and_then(|process| process.cgroups());
    let own = own.map(|groups| groups.0).unwrap_or_default();
    let version = |group: &ProcessCGroup| match group.hierarchy {
        0 => Some(VERSION_2),
        _ => group.controllers.iter().any(|name| name == "memory").then_some(VERSION_1),
    };
    let of = |group| Some(groups_of(version(group)?, &group.pathname));
    own.iter().filter_map(of).flatten().collect()
}

fn groups_of(version: Version, own: &str) -> Vec<Group> {
    let group = |path: &Path| Group { version, folder: Path::new(version.root).join(path) };
    Path::new(own.trim_start_matches('/')).ancestors().map(group).collect()
}

fn tightest(groups: &[Group]) -> Option<Capacity> {
    let machine = machine();
    let total = machine.map_or(u64::MAX, |capacity| capacity.limit);
    // A limit past the machine's memory does not bound anything.
    let bounds = groups.iter().filter_map(Group::capacity).filter(|capacity| capacity.limit <= total);
    bounds.chain(machine).min_by_key(|capacity| capacity.available)
}

/// The memory that this process may use, in bytes: the smallest limit of its control groups, or all of the machine.
pub(crate) fn limit() -> usize {
    let limits =
        groups().iter().filter_map(Group::capacity).chain(machine()).map(|capacity| capacity.limit).min();
    limits.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

fn machine() -> Option<Capacity> {
    let memory = Meminfo::current().ok()?;
    Some(Capacity { limit: memory.mem_total, available: memory.mem_available? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group with these files.
    fn group(root: &Path, path: &str, version: Version, files: [&str; 3]) -> Group {
        let folder = root.join(path);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in [version.limit, version.usage, "memory.stat"].into_iter().zip(files) {
            fs::write(folder.join(name), text).unwrap();
        }
        Group { version, folder }
    }

    #[test]
    fn the_group_with_the_least_left_counts() {
        let root = tempfile::tempdir().unwrap();
        let of = |path, files| group(root.path(), path, VERSION_2, files);
        let stat = "anon 9\ninactive_file 400\nactive_file 7\n";
        let groups = [
            of("pod/container", ["max\n", "5000\n", stat]),
            of("pod", ["9000\n", "5000\n", stat]),
            of("", ["7000\n", "6000\n", "anon 9\n"]),
        ];
        assert_eq!(groups[0].capacity(), None);
        assert_eq!(groups[1].capacity(), Some(Capacity { limit: 9000, available: 4400 }));
        assert_eq!(tightest(&groups), Some(Capacity { limit: 7000, available: 1000 }));
    }

    #[test]
    fn version_1_has_other_names() {
        let root = tempfile::tempdir().unwrap();
        let of = |path, files| group(root.path(), path, VERSION_1, files);
        let stat = "inactive_file 1\ntotal_inactive_file 100\n";
        let group = of("a", ["1000\n", "2000\n", stat]);
        assert_eq!(group.capacity(), Some(Capacity { limit: 1000, available: 0 }));
        let unbounded = of("b", ["9223372036854771712\n", "2000\n", stat]);
        assert_eq!(tightest(&[unbounded]).unwrap().limit, machine().unwrap().limit);
    }

    #[test]
    fn groups_are_listed_up_to_the_root() {
        let folders: Vec<_> =
            groups_of(VERSION_2, "/pod/container").into_iter().map(|group| group.folder).collect();
        let below = |path: &str| Path::new("/sys/fs/cgroup").join(path);
        assert_eq!(folders, [below("pod/container"), below("pod"), below("")]);
        assert_eq!(groups_of(VERSION_1, "/").len(), 1);
    }
}
