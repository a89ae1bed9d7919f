//! Where memory comes from: jemalloc, unless the feature is left out.
//!
//! It is told at run time how long it keeps what was freed. Settings in the environment of a build reach only a build
//! in this checkout: `cargo install` has another.

#[cfg(feature = "jemalloc")]
pub(crate) use self::jemalloc::{describe, settle};

/// In a build without jemalloc there is nothing to tell.
#[cfg(not(feature = "jemalloc"))]
pub(crate) fn settle() {}

/// Which allocator this is, for `fanfare version --verbose`.
#[cfg(not(feature = "jemalloc"))]
pub(crate) fn describe() -> String {
    "the system's".into()
}

#[cfg(feature = "jemalloc")]
mod jemalloc {
    use std::io::{Write, stderr};

    use tikv_jemalloc_ctl::{Access, AsName, Name, Result, background_thread};

    /// Freed memory goes back to the system: after a storm of connections an idle node is small again.
    #[global_allocator]
    static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

    /// For how long freed pages are kept for the next allocation, in milliseconds. With jemalloc's own ten seconds a
    /// storm of connections leaves 5 to 7 KB behind for each.
    const KEPT: isize = 500;

    /// What jemalloc does unless somebody says otherwise (`_RJEM_MALLOC_CONF`, `/etc/malloc.conf`).
    const KEPT_BY_DEFAULT: isize = 10_000;

    fn chosen() -> &'static Name {
        "opt.dirty_decay_ms\0".name()
    }

    /// Of the arena that serves the main thread: the only one there is when `main` begins.
    fn first() -> &'static Name {
        "arena.0.dirty_decay_ms\0".name()
    }

    fn later() -> &'static Name {
        "arenas.dirty_decay_ms\0".name()
    }

    /// Sets what this program wants, before it has a second thread. What the environment says wins.
    pub(crate) fn settle() {
        if let Err(error) = try_settle() {
            let said = format!("fanfare: jemalloc keeps freed memory longer than it should: {error}\n");
            drop(stderr().write_all(said.as_bytes()));
        }
    }

    fn try_settle() -> Result<()> {
        let chosen: isize = chosen().read()?;
        if chosen == KEPT_BY_DEFAULT {
            first().write(KEPT)?;
            later().write(KEPT)?;
        }
        Ok(())
    }

    /// Which allocator this is and what it does, as itself says, for `fanfare version --verbose`.
    pub(crate) fn describe() -> String {
        let kept = |name: &'static Name| -> Result<isize> { name.read() };
        match (kept(first()), kept(later()), background_thread::read()) {
            (Ok(first), Ok(later), Ok(thread)) => {
                let by = if thread { "a thread of its own" } else { "the threads that free it" };
                format!(
                    "jemalloc; freed memory is kept for {first} ms (later arenas: {later} ms), then returned by {by}"
                )
            }
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => format!("jemalloc: {error}"),
        }
    }
}
