//! Where log lines go: to standard error, so that standard output stays for answers.

use std::io::{IsTerminal, stderr};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, filter::Directive, fmt, layer::SubscriberExt as _, reload,
    util::SubscriberInitExt as _,
};

use crate::config::{Log, LogFormat};

/// Changes what is logged.
#[derive(Debug, Clone)]
pub struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// From now on the lines of this importance, and more important ones.
    pub fn set(&self, level: LevelFilter) {
        if let Err(error) = self.0.reload(filter(level)) {
            tracing::error!(%error, "log.level could not be changed");
        }
    }
}

/// Logs from now on. Text on a terminal, JSON elsewhere, unless the configuration says which.
pub fn start(log: Log) -> LogLevel {
    let (filter, handle) = reload::Layer::new(filter(log.level));
    let is_json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !stderr().is_terminal(),
    };
    // Where nobody reads it any more, to say so there would be a panic.
    let lines = fmt::layer().with_writer(stderr).log_internal_errors(false);
    let lines = if is_json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.with_ansi(stderr().is_terminal()).with_target(false).boxed()
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
    LogLevel(handle)
}

/// Our own crates as configured; libraries only when something is wrong.
fn filter(level: LevelFilter) -> EnvFilter {
    let ours: Directive = level.into();
    ["hyper=warn", "h2=warn", "redis=warn"]
        .into_iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(EnvFilter::default().add_directive(ours), EnvFilter::add_directive)
}
