//! The allocator: jemalloc, unless the feature is left out.
//!
//! The program sets at run time how long jemalloc keeps freed memory. Settings in the environment of a build reach only
//! a build in this checkout, not one by `cargo install`.

#[cfg(feature = "jemalloc")]
pub(crate) use self::jemalloc::{configure, describe};

/// The system's allocator has no settings.
#[cfg(not(feature = "jemalloc"))]
pub(crate) fn configure() {}

/// The allocator, for `fanfare version --verbose`.
#[cfg(not(feature = "jemalloc"))]
pub(crate) fn describe() -> String {
    "the system's".into()
}

#[cfg(feature = "jemalloc")]
mod jemalloc {
    use std::io::{Write, stderr};

    use tikv_jemalloc_ctl::{Access, AsName, Name, Result, background_thread};

    /// It returns freed memory to the system: after a storm of connections an idle node is small again.
    #[global_allocator]
    static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

    /// How long freed pages are kept for the next allocation, in milliseconds. With jemalloc's own ten seconds a storm
    /// of connections leaves 5 to 7 KB behind for each.
    const KEPT: isize = 500;

    /// The default of jemalloc, unless `_RJEM_MALLOC_CONF` or `/etc/malloc.conf` says otherwise.
    const KEPT_BY_DEFAULT: isize = 10_000;

    fn chosen() -> &'static Name {
        "opt.dirty_decay_ms\0".name()
    }

    /// The setting of the arena of the main thread, which is the only one when `main` begins.
    fn first() -> &'static Name {
        "arena.0.dirty_decay_ms\0".name()
    }

    fn later() -> &'static Name {
        "arenas.dirty_decay_ms\0".name()
    }

    /// Sets the time before the process has a second thread. A setting in the environment wins.
    pub(crate) fn configure() {
        if let Err(error) = try_configure() {
            let said = format!("fanfare: jemalloc keeps freed memory longer than it should: {error}\n");
            drop(stderr().write_all(said.as_bytes()));
        }
    }

    fn try_configure() -> Result<()> {
        let chosen: isize = chosen().read()?;
        if chosen == KEPT_BY_DEFAULT {
            first().write(KEPT)?;
            later().write(KEPT)?;
        }
        Ok(())
    }

    /// The allocator and its settings, as it reports them, for `fanfare version --verbose`.
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
