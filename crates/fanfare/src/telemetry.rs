//! Where log lines go: to standard error, so that standard output stays for answers.
//!
//! A line of JSON is one object, with its time as RFC 3339 has it (UTC), its level, the node's name and its target:
//! `fanfare::access` is what is said of each connection once it is over.

pub mod lines;
pub mod rates;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal, stderr},
    panic,
    sync::Arc,
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{Directive, FilterExt},
    fmt,
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

use self::{
    lines::Lines,
    rates::{Bounded, Rates},
};
use crate::config::{Log, LogFormat};

/// What can be done about the log of this process.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// How many lines there may be.
    pub rates: Arc<Rates>,
    /// Which.
    pub level: LogLevel,
    /// Where they go.
    pub lines: Lines,
}

impl Telemetry {
    /// Logs each second what was not logged. For as long as it is polled.
    pub async fn report(self) {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = 0;
        loop {
            second.tick().await;
            self.rates.say();
            let dropped = Lines::dropped();
            if dropped > said {
                tracing::warn!(
                    lines = dropped - said,
                    "log lines were dropped: standard error was not read, or took no more"
                );
                said = dropped;
            }
        }
    }
}

/// Changes what is logged.
#[derive(Debug, Clone)]
pub struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// From now on the lines of this importance, and more important ones.
    pub fn set(&self, level: LevelFilter) {
        if let Err(error) = self.0.reload(levels(level)) {
            tracing::error!(%error, "log.level could not be changed");
        }
    }
}

/// Logs from now on, within rates. Text on a terminal, JSON elsewhere, unless the configuration says which.
///
/// # Errors
/// There is no thread that could write the log.
pub fn start(node: &str, log: Log) -> io::Result<Telemetry> {
    let queue = Lines::to_stderr()?;
    say_panics(queue.clone());
    let rates = Rates::new(log.lines_per_second);
    let (levels, handle) = reload::Layer::new(levels(log.level));
    let filter = levels.and(Bounded(rates.clone()));
    let is_json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !stderr().is_terminal(),
    };
    // Neither layer says so where it cannot write (`log_internal_errors`): with nobody to read it, that would be a panic.
    let lines = if is_json {
        json(node, queue.clone()).with_filter(filter).boxed()
    } else {
        fmt::layer()
            .with_writer(queue.clone())
            .with_ansi(stderr().is_terminal())
            .with_target(false)
            .with_filter(filter)
            .boxed()
    };
    tracing_subscriber::registry().with(lines).init();
    Ok(Telemetry { rates, level: LogLevel(handle), lines: queue })
}

/// A panic ends the node, so its message must not wait for a reader of the log, as the standard library's hook does.
fn say_panics(lines: Lines) {
    panic::set_hook(Box::new(move |panic| {
        let backtrace = Backtrace::capture();
        let trace = match backtrace.status() {
            BacktraceStatus::Captured => format!("\n{backtrace}"),
            _ => String::new(),
        };
        lines.push(format!("{panic}{trace}\n").as_bytes());
        lines.flush();
    }));
}

/// Our own crates as configured; libraries only when something is wrong.
fn levels(level: LevelFilter) -> EnvFilter {
    let ours: Directive = level.into();
    ["hyper=warn", "h2=warn", "redis=warn", "tonic=warn", "tower=warn"]
        .into_iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(EnvFilter::default().add_directive(ours), EnvFilter::add_directive)
}

fn json(node: &str, queue: Lines) -> impl Layer<Registry> + use<> {
    let mut lines = json_subscriber::layer().with_writer(queue).flatten_event(true);
    lines.inner_layer_mut().add_static_field("node", node.into());
    lines
}
