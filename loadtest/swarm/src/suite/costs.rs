//! The cost of TLS, permessage-deflate and sampled traces, each beside the same load without.

use std::time::Duration;

use serde_json::json;

use super::{
    case::Found,
    certificate::Certificate,
    collector::Collector,
    stage::{BYTES, Stage},
};
use crate::{
    chart::Chart,
    client::Manner,
    connect,
    connection_pool::origin::Origin,
    fanout::{ClosedLoop, Figures, Load, Until},
    floor, idle,
    median::median,
    number::short,
    servers::{Node, Setup},
    table::Table,
};

/// Messages that may be in flight: the rate is kept at any latency.
const IN_FLIGHT: usize = 1_000;

/// Idle connections: enough that the rest of the process is a small part of its memory.
const IDLE: usize = 2_000;

/// The bytes of a message that is long enough to be compressed.
const LONG: usize = 1 << 10;

/// A load, and the ways to carry it. The first way is the reference of the others.
struct Group {
    about: &'static str,
    subscribers: usize,
    rate: u32,
    payload: Vec<u8>,
    ways: Vec<Way>,
}

/// A server, and how clients connect to it.
struct Way {
    name: &'static str,
    setup: Setup,
    manner: Manner,
}

/// A running server with its clients.
struct Running {
    node: Node,
    clients: ClosedLoop,
    rounds: Vec<Figures>,
}

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let (certificate, collector) = (Certificate::new()?, Collector::start().await?);
    let mut grid = Table::new([
        "1 channel",
        "",
        "µs/delivery",
        "user",
        "system",
        "µs/publish",
        "to plain",
        "load gen. µs",
        "p50",
        "p99",
    ]);
    let mut chart = Chart::new("CPU per delivery, to plain", "×", ["plain", "with it"]);
    let (mut raw, mut spans) = (Vec::new(), Spans::default());
    for group in groups(&certificate, &collector)? {
        let running = run(stage, &group).await?;
        for (number, (way, found)) in group.ways.iter().zip(&running).enumerate() {
            let plain = running.first().map_or(&found.rounds, |plain| &plain.rounds);
            let ratio =
                median(found.rounds.iter().zip(plain).map(|(with, plain)| with.cpu.total / plain.cpu.total));
            grid.row(row(&group, way.name, &found.rounds, ratio));
            if number > 0 {
                chart.group(way.name, [1.0, ratio]);
            }
            raw.push(json!({ "load": group.about, "way": way.name, "rounds": found.rounds }));
            spans.add(&found.node).await?;
        }
    }
    let plain = idle_memory(stage, Setup::default(), Manner::default()).await?;
    let tls = idle_memory(stage, secured(&certificate)?, certificate.manner()).await?;
    Ok(Found {
        title: "TLS, compression, traces",
        about: format!(
            "One channel, memory broker, open loop; each way on a server of its own, in turns with plain, {} rounds of \
             {} s: medians, the ratio that of the rounds' own ratios. Messages of {LONG} B are JSON; shorter ones are \
             not compressed. The load generator does not inflate messages that it only counts. Traces went to a collector that \
             keeps nothing: it took {} spans, {} were dropped. User memory per idle connection, of {}: {} B plain, {} B \
             with TLS.",
            stage.rounds,
            seconds(stage),
            short(spans.sent as f64),
            short(spans.dropped as f64),
            short(IDLE as f64),
            short(plain),
            short(tls),
        ),
        judged: Vec::new(),
        grid,
        charts: vec![chart],
        raw: json!({ "ways": raw, "idle": { "plain": plain, "tls": tls } }),
    })
}

fn groups(certificate: &Certificate, collector: &Collector) -> anyhow::Result<[Group; 3]> {
    let plain = || Way { name: "plain", setup: Setup::default(), manner: Manner::default() };
    let traced = |name, ratio| {
        let setup = Setup { toml: collector.toml(ratio), ..Setup::default() };
        Way { name, setup, manner: Manner::default() }
    };
    let compressing = Setup { toml: "[websocket]\ndeflate = true\n".to_owned(), ..Setup::default() };
    let inflating = Manner { deflate: true, ..Manner::default() };
    Ok([
        Group {
            about: "1,000 × 20/s, 128 B",
            subscribers: 1_000,
            rate: 20,
            payload: floor::payload(BYTES),
            ways: vec![
                plain(),
                Way { name: "TLS", setup: secured(certificate)?, manner: certificate.manner() },
            ],
        },
        Group {
            about: "1,000 × 20/s, 1,024 B",
            subscribers: 1_000,
            rate: 20,
            payload: prices(LONG),
            ways: vec![plain(), Way { name: "permessage-deflate", setup: compressing, manner: inflating }],
        },
        Group {
            about: "10 × 1,000/s, 128 B",
            subscribers: 10,
            rate: 1_000,
            payload: floor::payload(BYTES),
            ways: vec![plain(), traced("1 % traced", 0.01), traced("all traced", 1.0)],
        },
    ])
}

/// A server with TLS, and with a plain listener for its health.
fn secured(certificate: &Certificate) -> anyhow::Result<Setup> {
    Setup { toml: certificate.toml(), ..Setup::default() }.with_plain_listener()
}

async fn run(stage: &Stage, group: &Group) -> anyhow::Result<Vec<Running>> {
    let mut running = Vec::new();
    for way in &group.ways {
        let node = stage.node(way.setup.clone()).await?;
        let target = node.target_in("/ws/costs", way.manner.clone())?;
        let members = connect::all(std::iter::repeat_n(&target, group.subscribers)).await?;
        let clients = ClosedLoop::with_payload(members, group.payload.clone())?;
        running.push(Running { node, clients, rounds: Vec::new() });
    }
    let load = |seconds| {
        let until = Until::Time(Duration::from_secs(seconds));
        Load { in_flight: IN_FLIGHT, until, pace: Some(group.rate) }
    };
    for way in &mut running {
        way.clients.run(way.node.pid()?, load(1)).await?;
    }
    for round in 1..=stage.rounds {
        eprintln!("{}, round {round}/{}", group.about, stage.rounds);
        for way in &mut running {
            way.rounds.push(way.clients.run(way.node.pid()?, load(seconds(stage))).await?);
        }
    }
    Ok(running)
}

/// The seconds of a round of a way: half of a case's, because there are many rounds.
const fn seconds(stage: &Stage) -> u64 {
    stage.seconds.div_ceil(2)
}

fn row(group: &Group, name: &str, rounds: &[Figures], ratio: f64) -> [String; 10] {
    let of = |value: fn(&Figures) -> f64| median(rounds.iter().map(value));
    let us = |value: f64| format!("{} µs", short(value));
    let ms = |micros: f64| format!("{} ms", short(micros / 1e3));
    let per_delivery = of(|figures| figures.cpu.total);
    [
        group.about.to_owned(),
        name.to_owned(),
        us(per_delivery),
        us(of(|figures| figures.cpu.user)),
        us(of(|figures| figures.cpu.system)),
        us(per_delivery * group.subscribers as f64),
        format!("{ratio:.2} ×"),
        us(of(|figures| figures.swarm_cpu.total)),
        ms(of(|figures| figures.latency.p50 as f64)),
        ms(of(|figures| figures.latency.p99 as f64)),
    ]
}

async fn idle_memory(stage: &Stage, setup: Setup, manner: Manner) -> anyhow::Result<f64> {
    let node = stage.node(setup).await?;
    let plan = idle::Plan::of_memory(Origin::new(stage.swarm.clone()), node.pid()?, IDLE);
    let figures = idle::run(&[node.target_in("/ws/idle", manner)?], &plan).await?;
    node.stop().await?;
    Ok(figures.per_connection.private_dirty)
}

/// The fates of all spans.
#[derive(Default)]
struct Spans {
    sent: u64,
    dropped: u64,
}

impl Spans {
    async fn add(&mut self, node: &Node) -> anyhow::Result<()> {
        let count = async |result| {
            node.metrics().value(&format!("fanfare_trace_spans_total{{result=\"{result}\"}}")).await
        };
        self.sent += count("sent").await?;
        self.dropped += count("dropped").await? + count("failed").await?;
        Ok(())
    }
}

/// JSON text of this length, like that of a feed.
fn prices(bytes: usize) -> Vec<u8> {
    let items = (0_u32..).flat_map(|number| {
        format!("{{\"symbol\":\"S{number}\",\"price\":{}.{}}},", number * 7 % 911, number % 100).into_bytes()
    });
    items.take(bytes).collect()
}
