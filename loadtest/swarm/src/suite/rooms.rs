//! Many small channels.

use serde_json::json;

use super::{
    budget::{Budget, Judged, REFERENCE_SEND},
    case::Found,
    open_loop::{latencies, row, table},
    stage::Stage,
};
use crate::{
    chart::Chart,
    number::short,
    rooms::{Figures, Layout},
    servers::Redis,
};

const SMALL: Layout = Layout { rooms: 200, members: 10, publishers: 1 };
const PAIRS: Layout = Layout { rooms: 2_000, members: 2, publishers: 1 };

/// A load, the number of nodes, and the budget of a delivery on a machine whose bare send takes [`REFERENCE_SEND`].
struct Load {
    layout: Layout,
    rate: f64,
    nodes: usize,
    budget: Option<f64>,
}

const LOADS: [Load; 5] = [
    Load { layout: SMALL, rate: 5.0, nodes: 1, budget: Some(10.6) },
    Load { layout: SMALL, rate: 25.0, nodes: 1, budget: Some(7.8) },
    Load { layout: SMALL, rate: 5.0, nodes: 2, budget: None },
    Load { layout: SMALL, rate: 50.0, nodes: 2, budget: None },
    Load { layout: PAIRS, rate: 5.0, nodes: 2, budget: None },
];

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let scale = stage.bare_send().await? / REFERENCE_SEND;
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
        let Load { layout, rate, nodes, budget } = load;
        let name = format!("{} × {} × {rate}/s", layout.rooms, layout.members);
        eprintln!("{name}, {nodes} nodes");
        let (bare, figures) = of(stage, layout, rate, nodes).await?;
        let before =
            [name.clone(), nodes.to_string(), short(figures.cpu_per_publish.total), short(bare.cpu.total)];
        grid.row(row(&before, &figures));
        let group = format!("{name}, {nodes}n");
        cpu.group(
            &group,
            [bare.cpu.total, figures.cpu.total, figures.beside_cpu.total, figures.swarm_cpu.total],
        );
        latency.group(group, latencies(&figures));
        if let Some(budget) = budget {
            let what = format!("delivery, {name}");
            let bound = Judged::bound(what, "µs", figures.cpu.total, Budget::AtMost(budget * scale));
            let (floor, ratio) = (bare.cpu.total, figures.cpu.total / bare.cpu.total);
            judged.push(Judged { floor: Some(floor), ratio: Some(ratio), ..bound });
        }
        raw.push(json!({ "bare": bare, "fanfare": figures }));
    }
    Ok(Found {
        title: "Rooms",
        about: format!(
            "Small channels, 128 B, through Redis, one publisher each, open loop, {} s each. With one node, it and its \
             Redis have one core and the load generator the others; two nodes share all cores with the load generator \
             and Redis, and the members of each channel are on both. The bare relay is \
             one thread that passes messages on at the same pace, without Redis or anything else. Budgets are scaled by this machine's bare send: \
             {scale:.2} of the {REFERENCE_SEND} µs that they were made with.",
            stage.seconds
        ),
        judged,
        grid,
        charts: vec![cpu, latency],
        raw: json!({ "scale": scale, "loads": raw }),
    })
}

/// The bare relay's figures and the servers'.
async fn of(stage: &Stage, layout: Layout, rate: f64, nodes: usize) -> anyhow::Result<(Figures, Figures)> {
    let core = stage.one_core().filter(|_| nodes == 1);
    let pinned = core.is_some().then(|| stage.on_the_others()).transpose()?;
    let bare = stage.bare_rooms(core.as_deref(), layout, rate).await?;
    let redis = Redis::start(core.as_deref()).await?;
    let mut servers = Vec::new();
    for _ in 0..nodes {
        servers.push(stage.node(redis.setup(core.clone())).await?);
    }
    let figures = stage.rooms(&servers.iter().collect::<Vec<_>>(), Some(&redis), layout, rate).await?;
    for server in servers {
        server.stop().await?;
    }
    drop(pinned);
    Ok((bare, figures))
}
