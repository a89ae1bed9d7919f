//! The cost of a publish through one server of Redis, three, and a Cluster.

use serde_json::json;

use super::{case::Found, stage::Stage};
use crate::{
    number::short,
    rooms::Layout,
    servers::{Kind, RedisGroup},
    table::Table,
};

/// The servers, and their name in the table.
const GROUPS: [(Kind, &str); 3] =
    [(Kind::One, "one server"), (Kind::Three, "three servers"), (Kind::Cluster, "Cluster, three masters")];

/// The path of the channels, and messages a second to each of them.
const LOADS: [(&str, f64); 5] = [
    ("/ws/suite", 20.0),
    ("/ws/suite", 60.0),
    ("/ws/suite", 100.0),
    ("/ws/kept:suite", 10.0),
    ("/ws/kept:suite", 20.0),
];

const ROOMS: usize = 1_000;

const TOML: &str = "[[namespace]]\nname = \"kept\"\nhistory_size = 100\nhistory_ttl = \"10m\"\n";

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let pinned = stage.off_the_last()?;
    let layout = Layout { rooms: ROOMS, members: 1, publishers: 1 };
    let head = ["Redis", "history", "offered /s", "carried /s", "node µs", "Redis µs", "p50", "p99", "lost"];
    let (mut grid, mut raw) = (Table::new(head), Vec::new());
    for (path, rate) in LOADS {
        for (kind, name) in GROUPS {
            let redis = RedisGroup::start(kind, stage.last_core().as_deref()).await?;
            let node = stage.node(redis.setup(TOML)).await?;
            let figures = stage.rooms_beside(path, &[&node], redis.pids()?, layout, rate).await?;
            node.stop().await?;
            let ms = |micros: u64| format!("{} ms", short(micros as f64 / 1e3));
            grid.row([
                name.to_owned(),
                if path.contains("kept") { "yes" } else { "no" }.to_owned(),
                short(figures.offered),
                short(figures.rate),
                short(figures.cpu_per_publish.total),
                short(figures.beside_cpu.total),
                ms(figures.latency.p50),
                ms(figures.latency.p99),
                figures.faults.lost.to_string(),
            ]);
            raw.push(json!({ "redis": name, "path": path, "figures": figures }));
        }
    }
    drop(pinned);
    Ok(Found {
        title: "One Redis, several, a Cluster",
        about: format!(
            "{ROOMS} channels of one member that publishes and gets its own message back, 128 B, open loop, {} s each; \
             so a publish comes with one delivery. The processes of Redis on one core together, the node and the load \
             generator on the others: more servers than one cannot show more speed here, but their cost. CPU per \
             publish, of the node with the delivery, and of all processes of Redis.",
            stage.seconds
        ),
        judged: Vec::new(),
        grid,
        charts: Vec::new(),
        raw: json!(raw),
    })
}
