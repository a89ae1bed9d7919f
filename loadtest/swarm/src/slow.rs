//! The cost of a slow reader for the others: CPU per delivery and latency, with it and without, in pairs.

mod reader;

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::ensure;
use serde::Serialize;

pub use self::reader::Pace;
use self::reader::{EVICTED, SlowReader};
use crate::{
    connect,
    fanout::{self, ClosedLoop, Load, Until},
    median::median,
    number::mib,
    process::Memory,
    servers::Node,
    table::Table,
};

const CONFLATED: &str = "fanfare_publications_conflated_total";

/// Messages that may be in flight: the rate is kept at any latency, until the server is far behind.
const IN_FLIGHT: usize = 1_000;

/// The plan of the pairs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The `fanfare` program.
    pub server: PathBuf,
    /// Subscribers that read, the publisher among them.
    pub subscribers: usize,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// Messages a second.
    pub rate: u32,
    /// Pairs of each kind of slow reader.
    pub pairs: usize,
    /// The time of each half of a pair.
    pub half: Duration,
    /// The bytes that may wait in the server for a client.
    pub outbound_bytes: usize,
}

/// The result.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Subscribers that read, the publisher among them.
    pub subscribers: usize,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// Messages a second.
    pub rate: u32,
    /// The bytes that may wait in the server for a client.
    pub outbound_bytes: usize,
    /// A case for each kind of slow reader.
    pub cases: Vec<Case>,
}

/// A kind of slow reader.
#[derive(Debug, Clone, Serialize)]
pub struct Case {
    /// The reader's pace.
    pub reader: Pace,
    /// The ratio of the latency at p50, with the reader to without: the median of the pairs.
    pub p50_ratio: f64,
    /// The same at p99.
    pub p99_ratio: f64,
    /// The same for CPU per delivery.
    pub cpu_ratio: f64,
    /// The number of times that the server closed the reader.
    pub evicted: u64,
    /// Publications that the server conflated.
    pub conflated: u64,
    /// Every pair in order.
    pub pairs: Vec<Pair>,
}

/// Two halves.
#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    /// The half without the slow reader.
    pub without: Half,
    /// The half with the slow reader.
    pub with: Half,
}

/// A half of a pair.
#[derive(Debug, Clone, Serialize)]
pub struct Half {
    /// The figures of the subscribers that read.
    pub load: fanout::Figures,
    /// The server's memory at the end of the half.
    pub memory: Memory,
}

/// Measures each kind on a server of its own.
///
/// # Errors
/// The server is missing, does not become ready, loses a message or ends a connection that reads.
pub async fn run(plan: &Plan) -> anyhow::Result<Figures> {
    let mut cases = Vec::new();
    for reader in [Pace::Never, Pace::Slowly] {
        eprintln!("a client that reads {} …", reader.word());
        cases.push(case(plan, reader).await?);
    }
    let &Plan { subscribers, bytes, rate, outbound_bytes, .. } = plan;
    Ok(Figures { subscribers, bytes, rate, outbound_bytes, cases })
}

async fn case(plan: &Plan, reader: Pace) -> anyhow::Result<Case> {
    let node = Node::configured(&plan.server, &plan.toml(reader)).await?;
    let target = node.target("/ws/slow")?;
    let members = connect::all(std::iter::repeat_n(&target, plan.subscribers)).await?;
    let mut subscribers = ClosedLoop::start(members, plan.bytes)?;
    let load = |half| Load { in_flight: IN_FLIGHT, until: Until::Time(half), pace: Some(plan.rate) };
    subscribers.run(node.pid()?, load(plan.half / 4)).await?;
    let mut pairs = Vec::new();
    for number in 1..=plan.pairs {
        let mut halves = [None, None];
        // In turns, so that a drift of the machine favours neither half.
        for is_with in if number % 2 == 1 { [false, true] } else { [true, false] } {
            let slow = is_with.then(|| SlowReader::start(reader, target.clone(), node.metrics()));
            let load = subscribers.run(node.pid()?, load(plan.half)).await?;
            ensure!(slow.is_none_or(|slow| slow.is_running()), "the slow reader could not connect");
            let half = Half { load, memory: Memory::of(node.pid()?)? };
            if let Some(place) = halves.get_mut(usize::from(is_with)) {
                *place = Some(half);
            }
        }
        if let [Some(without), Some(with)] = halves {
            let pair = Pair { without, with };
            eprintln!("  pair {number}/{}: p99 × {:.2}, CPU × {:.2}", plan.pairs, pair.p99(), pair.cpu());
            pairs.push(pair);
        }
    }
    let evicted = node.metrics().value(EVICTED).await?;
    let conflated = node.metrics().value(CONFLATED).await?;
    node.stop().await?;
    Ok(Case {
        reader,
        p50_ratio: median(pairs.iter().map(Pair::p50)),
        p99_ratio: median(pairs.iter().map(Pair::p99)),
        cpu_ratio: median(pairs.iter().map(Pair::cpu)),
        evicted,
        conflated,
        pairs,
    })
}

impl Plan {
    /// The configuration, without pings: a client that does not read does not answer them, and would be closed for that.
    fn toml(&self, reader: Pace) -> String {
        let message_bytes = self.bytes.max(1 << 10);
        let outbound_bytes = self.outbound_bytes;
        let policy = match reader {
            Pace::Never => "disconnect",
            Pace::Slowly => "conflate",
        };
        format!(
            "[relay]\nping_interval = \"60m\"\n[limits]\nmessage_bytes = {message_bytes}\n\
             outbound_bytes = {outbound_bytes}\n[[namespace]]\nslow_client = \"{policy}\"\n"
        )
    }
}

impl Pace {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Never => "never (slow_client = \"disconnect\", it comes back at once)",
            Self::Slowly => "4 KiB a second (slow_client = \"conflate\")",
        }
    }
}

impl Pair {
    fn ratio(&self, of: impl Fn(&fanout::Figures) -> f64) -> f64 {
        of(&self.with.load) / of(&self.without.load)
    }

    fn p50(&self) -> f64 {
        self.ratio(|load| load.latency.p50 as f64)
    }

    fn p99(&self) -> f64 {
        self.ratio(|load| load.latency.p99 as f64)
    }

    fn cpu(&self) -> f64 {
        self.ratio(|load| load.cpu.total)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscribers, bytes, rate, outbound_bytes, cases } = self;
        writeln!(
            out,
            "{bytes} B to {subscribers} subscribers {rate} times a second, memory broker, and a slow reader for \
             which {outbound_bytes} B may wait; the figures of the others:"
        )?;
        cases.iter().try_for_each(|case| write!(out, "\n{case}"))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reader, p50_ratio, p99_ratio, cpu_ratio, evicted, conflated, pairs } = self;
        writeln!(out, "a client that reads {}, medians of {} pairs:", reader.word(), pairs.len())?;
        let mut table = Table::new(["", "p50", "p99", "CPU per delivery", "resident memory"]);
        let mut row = |name: &str, half: fn(&Pair) -> &Half| {
            let of = |value: fn(&Half) -> f64| median(pairs.iter().map(|pair| value(half(pair))));
            let ms = |micros: f64| format!("{:.2} ms", micros / 1e3);
            table.row([
                name.to_owned(),
                ms(of(|half| half.load.latency.p50 as f64)),
                ms(of(|half| half.load.latency.p99 as f64)),
                format!("{:.3} µs", of(|half| half.load.cpu.total)),
                mib(of(|half| half.memory.rss)),
            ]);
        };
        row("without", |pair| &pair.without);
        row("with", |pair| &pair.with);
        let [p50, p99, cpu] = [p50_ratio, p99_ratio, cpu_ratio].map(|ratio| format!("{ratio:.2} ×"));
        table.row(["ratio".to_owned(), p50, p99, cpu, String::new()]);
        write!(out, "{table}")?;
        writeln!(out, "  it was closed {evicted} times, and {conflated} messages were conflated")
    }
}
