//! `[log]`, as the node uses it.

use tracing::level_filters::LevelFilter;

/// The lines that are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The lowest level.
    pub level: LevelFilter,
    /// Their format.
    pub format: LogFormat,
    /// The most lines in a second from each place in the program; 0 is any number.
    pub lines_per_second: usize,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}
