//! Many small channels.

use anyhow::Context;
use serde::Serialize;
use serde_json::json;

use super::{
    budget::Judged,
    case::Found,
    open_loop::{latencies, row, table},
    stage::Stage,
};
use crate::{
    chart::Chart,
    median::median,
    number::short,
    rooms::{Figures, Layout},
    servers::Redis,
};

const SMALL: Layout = Layout { rooms: 200, members: 10, publishers: 1 };
const PAIRS: Layout = Layout { rooms: 2_000, members: 2, publishers: 1 };

/// The most that a publish may cost one node, as a multiple of the CPU of the bare relay and of the one through Redis.
const BUDGET: f64 = 1.25;

/// A load and the number of nodes. One node is judged beside the bare relays.
struct Load {
    layout: Layout,
    rate: f64,
    nodes: usize,
}

const LOADS: [Load; 5] = [
    Load { layout: SMALL, rate: 5.0, nodes: 1 },
    Load { layout: SMALL, rate: 25.0, nodes: 1 },
    Load { layout: SMALL, rate: 5.0, nodes: 2 },
    Load { layout: SMALL, rate: 50.0, nodes: 2 },
    Load { layout: PAIRS, rate: 5.0, nodes: 2 },
];

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let mut grid = table(&["channels × members × rate", "nodes", "µs/publish", "bare relay µs/delivery"]);
    let mut judged = Vec::new();
    let mut cpu = Chart::new(
        "CPU per delivery in small channels",
        "µs",
        ["bare relay", "fanfare", "Redis", "load generator"],
    );
    let mut latency = Chart::new("Latency in small channels", "ms", ["p50", "p99", "p99.9"]);
    let mut raw = Vec::new();
    for load in LOADS {
        let Load { layout, rate, nodes } = load;
        let name = format!("{} × {} × {rate}/s", layout.rooms, layout.members);
        let mut pairs = Vec::new();
        for round in 1..=stage.rounds {
            eprintln!("{name}, {nodes} nodes, round {round}/{}", stage.rounds);
            pairs.push(pair(stage, &load).await?);
        }
        let of = |value: fn(&Pair) -> f64| median(pairs.iter().map(value));
        let servers = typical(&pairs).context("no round")?;
        let (floor, figure) = (of(|pair| pair.bare.cpu.total), servers.cpu.total);
        let publish = short(servers.cpu_per_publish.total);
        grid.row(row(&[name.clone(), nodes.to_string(), publish, short(floor)], &servers));
        let group = format!("{name}, {nodes}n");
        cpu.group(&group, [floor, figure, servers.beside_cpu.total, servers.swarm_cpu.total]);
        latency.group(group, latencies(&servers));
        if nodes == 1 {
            let times = Judged::times(format!("delivery, {name}"), "µs", figure, floor, BUDGET);
            // A disturbance of a round disturbed all of its parts.
            let ratio = Some(of(|pair| pair.servers.cpu.total / pair.bare.cpu.total));
            judged.push(Judged { ratio, ..times });
        }
        if pairs.iter().any(|pair| pair.through_redis.is_some()) {
            let floor = of(Pair::bare_through_redis);
            let what = format!("the same, beside Redis' floor, {rate}/s");
            let times = Judged::times(what, "µs", figure, floor, BUDGET);
            let ratio = Some(of(|pair| pair.servers.cpu.total / pair.bare_through_redis()));
            judged.push(Judged { ratio, ..times });
        }
        raw.push(json!({ "rounds": pairs }));
    }
    Ok(Found {
        title: "Rooms",
        about: format!(
            "Small channels, 128 B, through Redis, one publisher each, open loop, {} rounds of {} s each: CPU is the median \
             of the rounds, the rest the last round's. With one node, it and its \
             Redis have one core and the load generator the others; two nodes share all cores with the load generator \
             and Redis, and the members of each channel are on both. The bare relay is \
             one thread that passes messages on at the same pace, without Redis or anything else. Redis' floor is the same \
             thread, which passes them on through a Redis on its core. Both are measured before the servers in every \
             round, and each ratio is the median of the rounds' ratios.",
            stage.rounds, stage.seconds
        ),
        judged,
        grid,
        charts: vec![cpu, latency],
        raw: json!({ "loads": raw }),
    })
}

/// The figures of a round.
#[derive(Debug, Serialize)]
struct Pair {
    bare: Figures,
    /// With one node on a processor of its own.
    through_redis: Option<Figures>,
    servers: Figures,
}

impl Pair {
    /// The CPU of a delivery by the bare relay through Redis, in microseconds. NaN: it was not measured.
    fn bare_through_redis(&self) -> f64 {
        self.through_redis.as_ref().map_or(f64::NAN, |figures| figures.cpu.total)
    }
}

/// The last round's figures of the servers, with the medians of all rounds for CPU.
fn typical(pairs: &[Pair]) -> Option<Figures> {
    let mut figures = pairs.last()?.servers.clone();
    let of = |value: fn(&Figures) -> f64| median(pairs.iter().map(|pair| value(&pair.servers)));
    figures.cpu.total = of(|servers| servers.cpu.total);
    figures.cpu_per_publish.total = of(|servers| servers.cpu_per_publish.total);
    figures.beside_cpu.total = of(|servers| servers.beside_cpu.total);
    figures.swarm_cpu.total = of(|servers| servers.swarm_cpu.total);
    Some(figures)
}

async fn pair(stage: &Stage, load: &Load) -> anyhow::Result<Pair> {
    let &Load { layout, rate, nodes } = load;
    let core = stage.one_core().filter(|_| nodes == 1);
    let pinned = core.is_some().then(|| stage.on_the_others()).transpose()?;
    let bare = stage.bare_rooms(core.as_deref(), None, layout, rate).await?;
    let redis = Redis::start(core.as_deref()).await?;
    let through_redis = match &core {
        Some(core) => Some(stage.bare_rooms(Some(core), Some(&redis), layout, rate).await?),
        None => None,
    };
    let mut running = Vec::new();
    for _ in 0..nodes {
        running.push(stage.node(redis.setup(core.clone())).await?);
    }
    let servers = stage.rooms(&running.iter().collect::<Vec<_>>(), Some(&redis), layout, rate).await?;
    for node in running {
        node.stop().await?;
    }
    drop(pinned);
    Ok(Pair { bare, through_redis, servers })
}
