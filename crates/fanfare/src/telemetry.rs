//! Where log lines go: to standard error, so that standard output stays for answers.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, filter::Directive};

use crate::config::{Log, LogFormat};

/// Logs from now on. Text on a terminal, JSON elsewhere, unless the configuration says which.
pub fn start(log: Log) {
    // Our own crates as configured; libraries only when something is wrong.
    let ours: Directive = log.level.into();
    let filter = ["hyper=warn", "h2=warn", "redis=warn", "tonic=warn", "tower=warn"]
        .into_iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(EnvFilter::default().add_directive(ours), EnvFilter::add_directive);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let is_json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !stderr().is_terminal(),
    };
    if is_json {
        builder.json().flatten_event(true).init();
    } else {
        builder.with_ansi(stderr().is_terminal()).with_target(false).init();
    }
}
