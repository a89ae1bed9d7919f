//! Where log lines go: to standard error, so that standard output stays for answers.
//!
//! A line of JSON is one object, with its time as RFC 3339 has it (UTC), its level, the node's name and its target:
//! `fanfare::access` is what is said of each connection once it is over.

pub mod rates;

use std::{
    io::{IsTerminal, stderr},
    sync::Arc,
};

use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{Directive, FilterExt},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use self::rates::{Bounded, Rates};
use crate::config::{Log, LogFormat};

/// Logs from now on, within rates. Text on a terminal, JSON elsewhere, unless the configuration says which.
pub fn start(node: &str, log: Log) -> Arc<Rates> {
    let rates = Rates::new(log.lines_per_second);
    let filter = levels(log).and(Bounded(rates.clone()));
    let is_json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !stderr().is_terminal(),
    };
    let lines = if is_json {
        json(node).with_filter(filter).boxed()
    } else {
        fmt::layer()
            .with_writer(stderr)
            .with_ansi(stderr().is_terminal())
            .with_target(false)
            .with_filter(filter)
            .boxed()
    };
    tracing_subscriber::registry().with(lines).init();
    rates
}

/// Our own crates as configured; libraries only when something is wrong.
fn levels(log: Log) -> EnvFilter {
    let ours: Directive = log.level.into();
    ["hyper=warn", "h2=warn", "redis=warn", "tonic=warn", "tower=warn"]
        .into_iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(EnvFilter::default().add_directive(ours), EnvFilter::add_directive)
}

fn json(node: &str) -> impl Layer<Registry> + use<> {
    let mut lines = json_subscriber::layer().with_writer(stderr).flatten_event(true);
    lines.inner_layer_mut().add_static_field("node", node.into());
    lines
}
