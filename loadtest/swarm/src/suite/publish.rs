//! The cost of a publish, from its socket to Redis and back.

use serde_json::json;

use super::{
    case::Found,
    open_loop::{row, table},
    stage::Stage,
};
use crate::{chart::Chart, number::short, rooms::Layout, servers::Redis};

/// The number of channels with one member, and messages a second to each: 1,000, 50,000 and more in all.
const LOADS: [(usize, f64); 4] = [(100, 10.0), (1_000, 50.0), (1_000, 100.0), (1_000, 200.0)];

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let pinned = stage.on_the_others()?;
    let core = stage.one_core();
    let mut grid = table(&["µs/publish"]);
    let mut cpu = Chart::new(
        "CPU per publish and its delivery, by publishes a second",
        "µs",
        ["fanfare", "Redis", "load generator"],
    );
    let (mut raw, mut carried) = (Vec::new(), 0.0_f64);
    for (rooms, rate) in LOADS {
        let redis = Redis::start(core.as_deref()).await?;
        let node = stage.node(redis.setup(core.clone())).await?;
        let figures =
            stage.rooms(&[&node], Some(&redis), Layout { rooms, members: 1, publishers: 1 }, rate).await?;
        node.stop().await?;
        grid.row(row(&[short(figures.cpu_per_publish.total)], &figures));
        cpu.group(
            short(figures.offered),
            [figures.cpu_per_publish.total, figures.beside_cpu.total, figures.swarm_cpu.total],
        );
        if figures.is_right() {
            carried = carried.max(figures.rate);
        }
        raw.push(figures);
    }
    drop(pinned);
    Ok(Found {
        title: "Publish",
        about: format!(
            "Channels of one member that publishes and gets its own message back, 128 B, through Redis, open loop, {} s \
             each; so a publish comes with one delivery. The server and Redis on one core, the load generator on the \
             others. The most that was carried with nothing lost: {} publishes a second.",
            stage.seconds,
            short(carried)
        ),
        judged: Vec::new(),
        grid,
        charts: vec![cpu],
        raw: json!({ "loads": raw, "carried": carried }),
    })
}
