//! A node with a bound for its memory.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use fanfare_testkit::Process;

/// A control group for memory, of either version, with a node in it. Removed when dropped.
pub(crate) struct Group {
    folder: PathBuf,
    names: [&'static str; 2],
}

impl Group {
    /// The group of a process. `None`: this process may not make a group.
    pub(crate) fn of(process: &Process) -> Option<Self> {
        let versions = [
            ("/sys/fs/cgroup/memory", ["memory.usage_in_bytes", "memory.limit_in_bytes"]),
            ("/sys/fs/cgroup", ["memory.current", "memory.max"]),
        ];
        versions.into_iter().find_map(|(root, names)| {
            let folder = Path::new(root).join(format!("fanfare-alerts-{}", process.id()));
            fs::create_dir(&folder).ok()?;
            let group = Self { folder, names };
            fs::write(group.folder.join("cgroup.procs"), process.id().to_string()).ok()?;
            group.folder.join(names[1]).exists().then_some(group)
        })
    }

    /// Fills some of the memory, by a file in memory that is written in the group. Else a twentieth of what a node uses is
    /// so little that the kernel may end it at once.
    pub(crate) fn fill(&self) {
        let script = "echo $$ > \"$0/cgroup.procs\" && head -c 64M /dev/zero > \"$1\"";
        let filled = Command::new("sh").args(["-c", script]).args([&self.folder, &self.ballast()]).status();
        assert!(filled.unwrap().success());
    }

    fn ballast(&self) -> PathBuf {
        Path::new("/dev/shm").join(self.folder.file_name().unwrap())
    }

    pub(crate) fn usage(&self) -> u64 {
        fs::read_to_string(self.folder.join(self.names[0])).unwrap().trim().parse().unwrap()
    }

    pub(crate) fn limit(&self, bytes: u64) {
        fs::write(self.folder.join(self.names[1]), bytes.to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group with a process cannot be removed, so the process goes back to the parent group.
        let parent = self.folder.parent().unwrap().join("cgroup.procs");
        let own = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        own.lines().for_each(|process| drop(fs::write(&parent, process)));
        let _removed = (fs::remove_dir(&self.folder), fs::remove_file(self.ballast()));
    }
}
