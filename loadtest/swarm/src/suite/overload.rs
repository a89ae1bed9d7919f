//! One channel and a growing rate, with the server and Redis on one core.

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
    rooms::{Faults, Figures, Layout},
    servers::Redis,
};

const LAYOUT: Layout = Layout { rooms: 1, members: 1_000, publishers: 16 };

/// Messages a second.
const OFFERED: [f64; 4] = [200.0, 1_000.0, 2_000.0, 4_000.0];

/// The rate that the budgets are for, in messages a second.
const JUDGED_AT: f64 = 2_000.0;

/// The part of the offered messages that must come while they are offered. The last messages always come later.
const CARRIED: f64 = 0.995;

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let pinned = stage.on_the_others()?;
    let scale = stage.bare_send().await? / REFERENCE_SEND;
    let core = stage.one_core();
    let redis = Redis::start(core.as_deref()).await?;
    let (mut judged, mut grid) = (Vec::new(), table(&[]));
    let mut cpu =
        Chart::new("CPU per delivery, by messages a second to 1,000", "µs", ["fanfare", "load generator"]);
    let mut latency = Chart::new("Latency, by messages a second to 1,000", "ms", ["p50", "p99", "p99.9"]);
    let mut raw = Vec::new();
    for offered in OFFERED {
        eprintln!("{offered} messages/s");
        let node = stage.node(redis.setup(core.clone())).await?;
        let figures = stage.rooms(&[&node], Some(&redis), LAYOUT, offered).await?;
        node.stop().await?;
        grid.row(row(&[], &figures));
        cpu.group(short(offered), [figures.cpu.total, figures.swarm_cpu.total]);
        latency.group(short(offered), latencies(&figures));
        if (offered - JUDGED_AT).abs() < 1.0 {
            judged = judge(&figures, scale);
        }
        raw.push(figures);
    }
    drop(pinned);
    Ok(Found {
        title: "Overload",
        about: format!(
            "One channel of 1,000, 128 B, from 16 publishers, open loop, {} s each; the server and its Redis on one \
             core, the load generator on the others. Latency counts from when a message was due. Budgets are scaled \
             by this machine's bare send: {scale:.2} of the {REFERENCE_SEND} µs that they were made with; deliveries a second are what came until the last message had, so 99.5 % of \
             what was offered counts as carried.",
            stage.seconds
        ),
        judged,
        grid,
        charts: vec![cpu, latency],
        raw: json!({ "scale": scale, "loads": raw }),
    })
}

fn judge(figures: &Figures, scale: f64) -> Vec<Judged> {
    let Faults { lost, doubled, out_of_order, ended, .. } = figures.faults;
    let wrong = lost + doubled + out_of_order + ended;
    vec![
        Judged::bound(
            "deliveries/s at 2,000 × 1,000",
            "",
            figures.rate,
            Budget::AtLeast(CARRIED * JUDGED_AT * LAYOUT.members as f64 / scale.max(1.0)),
        ),
        Judged::bound("lost, doubled, out of order, ended at that", "", wrong as f64, Budget::AtMost(0.0)),
        Judged::bound("p99 at that", "ms", figures.latency.p99 as f64 / 1e3, Budget::AtMost(25.0 * scale)),
    ]
}
