//! Metrics that are read at each scrape, and not counted.

pub(crate) mod memory;
mod process;
mod scraped;

use std::sync::Arc;

use fanfare_hub::Dispatcher;
use prometheus::{IntGauge, Opts, Registry};
use tokio::runtime::RuntimeMetrics;

use self::scraped::{Kind, Scraped};

/// The commit of the build, if it was given (`BUILD_REVISION`).
pub const REVISION: Option<&str> = option_env!("BUILD_REVISION");

/// Registers the metrics. The caller is in a tokio runtime, whose metrics are among them.
///
/// # Errors
/// A name is registered already.
pub fn register(registry: &Registry, dispatcher: &Arc<Dispatcher>) -> prometheus::Result<()> {
    registry.register(Box::new(build_info()?))?;
    registry.register(Box::new(process::scraped()?))?;
    registry.register(Box::new(memory::scraped()?))?;
    registry.register(Box::new(runtime()?))?;
    registry.register(Box::new(inbound(dispatcher.clone())?))
}

/// By convention a gauge that is 1, whose labels describe the build.
fn build_info() -> prometheus::Result<IntGauge> {
    let labels = Opts::new("fanfare_build_info", "1; the labels say which build this is")
        .const_label("version", env!("CARGO_PKG_VERSION"))
        .const_label("revision", REVISION.unwrap_or("unknown"))
        .const_label("rustc", env!("FANFARE_RUSTC"));
    let info = IntGauge::with_opts(labels)?;
    info.set(1);
    Ok(info)
}

fn runtime() -> prometheus::Result<Scraped<4>> {
    let table = [
        ("fanfare_runtime_workers", "Threads that run the node's tasks", Kind::Gauge),
        ("fanfare_runtime_tasks", "Tasks that are not over: at least one for each connection", Kind::Gauge),
        (
            "fanfare_runtime_queued_tasks",
            "Tasks that could run and wait in the queue that all workers share",
            Kind::Gauge,
        ),
        (
            "fanfare_runtime_busy_seconds_total",
            "Seconds in which workers ran tasks, all together",
            Kind::Counter,
        ),
    ];
    let metrics = tokio::runtime::Handle::current().metrics();
    Scraped::new(table, move || {
        let busy = |metrics: &RuntimeMetrics| {
            let of_each = (0..metrics.num_workers()).map(|worker| metrics.worker_total_busy_duration(worker));
            of_each.map(|busy| busy.as_secs_f64()).sum()
        };
        [
            Some(metrics.num_workers() as f64),
            Some(metrics.num_alive_tasks() as f64),
            Some(metrics.global_queue_depth() as f64),
            Some(busy(&metrics)),
        ]
    })
}

fn inbound(dispatcher: Arc<Dispatcher>) -> prometheus::Result<Scraped<1>> {
    let table = [(
        "fanfare_inbound_queued_bytes",
        "Bytes that came from the broker and wait for the shards; past limits.inbound_bytes the broker waits",
        Kind::Gauge,
    )];
    Scraped::new(table, move || [Some(dispatcher.inbound_queued() as f64)])
}
