//! Metrics of this process that all client libraries of Prometheus have, under the names that dashboards know:
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>.
//!
//! The collector of the crate `prometheus` counts CPU in whole seconds: too coarse for a rate.

use std::time::SystemTime;

use procfs::process::Process;
use rustix::time::{ClockId, clock_gettime};

use super::scraped::{Kind, Scraped};
use crate::descriptors;

pub(super) fn scraped() -> prometheus::Result<Scraped<7>> {
    let table = [
        ("process_cpu_seconds_total", "User and system CPU time spent, in seconds", Kind::Counter),
        ("process_start_time_seconds", "When the node was started, in seconds since 1970", Kind::Gauge),
        ("process_max_fds", "Descriptors that the process may have", Kind::Gauge),
        ("process_open_fds", "Descriptors that it has", Kind::Gauge),
        ("process_resident_memory_bytes", "Memory in RAM, in bytes", Kind::Gauge),
        ("process_virtual_memory_bytes", "Address space, in bytes", Kind::Gauge),
        ("process_threads", "Threads of the operating system", Kind::Gauge),
    ];
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
    Scraped::new(table, move || {
        let process = Process::myself().ok();
        let stat = process.as_ref().and_then(|process| process.stat().ok());
        [
            Some(cpu_seconds()),
            started.map(|started| started.as_secs_f64()),
            Some(descriptors::now() as f64),
            process.as_ref().and_then(|process| process.fd_count().ok()).map(|count| count as f64),
            stat.as_ref().map(|stat| stat.rss.saturating_mul(procfs::page_size()) as f64),
            stat.as_ref().map(|stat| stat.vsize as f64),
            stat.as_ref().map(|stat| stat.num_threads as f64),
        ]
    })
}

fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}
