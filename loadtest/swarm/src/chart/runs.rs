//! The chart of each command's figures.

use super::{Chart, Drawn};
use crate::{
    bench, drain, fanout, idle, latency::Latency, process::MemoryPer, rolling, rooms, slow, storm, verify,
};

/// Latencies in milliseconds, a group for each.
fn latencies<const GROUPS: usize>(title: &str, groups: [(&str, Latency); GROUPS]) -> Chart {
    let mut chart = Chart::new(title, "ms", ["p50", "p99", "p99.9", "max"]);
    for (name, latency) in groups {
        let ms = |micros: u64| micros as f64 / 1e3;
        chart.group(name, [latency.p50, latency.p99, latency.p999, latency.max].map(ms));
    }
    chart
}

fn memory(title: &str, per: MemoryPer) -> Chart {
    let mut chart = Chart::new(title, "B", ["private", "proportional", "resident"]);
    chart.group("memory per connection", [per.private_dirty, per.pss, per.rss]);
    chart
}

impl Drawn for bench::Figures {
    fn chart(&self) -> Chart {
        let mut chart = Chart::new("CPU per delivery, by rounds", "µs", ["floor: a bare send", "server"]);
        for (number, round) in self.fanout.rounds.iter().enumerate() {
            chart.group((number + 1).to_string(), [round.floor.cpu.total, round.server.cpu.total]);
        }
        chart
    }
}

impl Drawn for fanout::Figures {
    fn chart(&self) -> Chart {
        let title = format!("From publish to receipt, {} subscribers", self.subscribers);
        latencies(&title, [("latency", self.latency)])
    }
}

impl Drawn for rooms::Figures {
    fn chart(&self) -> Chart {
        let title = format!("{} channels of {}, {:.0} messages/s", self.rooms, self.members, self.offered);
        latencies(&title, [("from when it was due", self.latency), ("until it was sent", self.lateness)])
    }
}

impl Drawn for storm::Figures {
    fn chart(&self) -> Chart {
        let title = format!("{} clients connect at once", self.connections);
        latencies(&title, [("until a client is connected", self.latency)])
    }
}

impl Drawn for idle::Figures {
    fn chart(&self) -> Chart {
        memory(&format!("{} idle connections", self.connections), self.per_connection)
    }
}

impl Drawn for drain::Figures {
    fn chart(&self) -> Chart {
        let title = format!("{} idle connections on {} nodes", self.connections, self.nodes);
        memory(&title, self.per_connection)
    }
}

impl Drawn for slow::Figures {
    fn chart(&self) -> Chart {
        let title = "What one slow reader costs the others, to without it";
        let mut chart = Chart::new(title, "×", ["p50", "p99", "CPU per delivery"]);
        for case in &self.cases {
            let name = format!("reads {}", case.reader.word());
            chart.group(name, [case.p50_ratio, case.p99_ratio, case.cpu_ratio]);
        }
        chart
    }
}

impl Drawn for verify::Summary {
    fn chart(&self) -> Chart {
        let mut chart = Chart::new("What the clients saw", "messages", ["count"]);
        let saw = &self.verdict;
        for (name, count) in [
            ("expected", saw.expected),
            ("received", saw.received),
            ("lost", saw.lost),
            ("doubled", saw.doubled),
            ("out of order", saw.out_of_order),
            ("damaged", saw.damaged),
        ] {
            chart.group(name, [count as f64]);
        }
        chart
    }
}

impl Drawn for verify::history::Summary {
    fn chart(&self) -> Chart {
        let mut chart = Chart::new("What the clients got", "messages", ["count"]);
        let saw = &self.verdict;
        for (name, count) in [
            ("acknowledged", saw.acknowledged),
            ("delivered", saw.delivered),
            ("lost", saw.lost),
            ("doubled", saw.doubled),
            ("reordered", saw.reordered),
            ("told", saw.told),
        ] {
            chart.group(name, [count as f64]);
        }
        chart
    }
}

impl Drawn for rolling::Figures {
    fn chart(&self) -> Chart {
        latencies("Answers of the API during a rolling restart", [("publish", self.answers)])
    }
}
