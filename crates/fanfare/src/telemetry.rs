//! The log goes to standard error, so that standard output has answers only.
//!
//! A line of JSON is one object: its time as in RFC 3339 (UTC), its level, the node's name and its target.
//! `fanfare::access` is the target of the line about a connection that has ended.
//!
//! - [`lines`]: the queue of lines; [`rates`]: the most lines in a second; `counter`: counters of both

mod counter;
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
    Layer, Registry,
    filter::{FilterExt, Targets},
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

/// The log of this process.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// The most lines in a second.
    pub rates: Arc<Rates>,
    /// The lowest level.
    pub level: LogLevel,
    /// The queue of lines.
    pub lines: Lines,
}

impl Telemetry {
    /// Logs each second how many lines were not logged. Runs as long as it is polled.
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

/// Changes the level.
#[derive(Debug, Clone)]
pub struct LogLevel(reload::Handle<Targets, Registry>);

impl LogLevel {
    /// Logs lines of this level from now on, and more important ones.
    pub fn set(&self, level: LevelFilter) {
        if let Err(error) = self.0.reload(levels(level)) {
            tracing::error!(%error, "log.level could not be changed");
        }
    }
}

/// Starts the log. Lines are text on a terminal and JSON elsewhere, unless the configuration says otherwise.
///
/// # Errors
/// The thread that writes the log cannot be started.
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
    // Neither layer reports its own errors (`log_internal_errors`): without a reader of standard error that would be a
    // panic.
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

/// A panic ends the node, so its message must not wait for a reader of the log, as in the standard library's hook.
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

/// Our own crates log as configured; libraries only when something is wrong.
fn levels(level: LevelFilter) -> Targets {
    let libraries = ["hyper", "h2", "redis", "tonic", "tower"].map(|name| (name, LevelFilter::WARN));
    Targets::new().with_default(level).with_targets(libraries)
}

fn json(node: &str, queue: Lines) -> impl Layer<Registry> + use<> {
    let mut lines = json_subscriber::layer().with_writer(queue).flatten_event(true);
    lines.inner_layer_mut().add_static_field("node", node.into());
    lines
}
