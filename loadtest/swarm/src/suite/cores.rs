//! One load with one core and with two.

use serde_json::json;

use super::{
    case::Found,
    open_loop::{row, table},
    stage::Stage,
};
use crate::{chart::Chart, rooms::Layout, servers::Setup};

const LAYOUT: Layout = Layout { rooms: 1, members: 1_000, publishers: 16 };
const RATES: [f64; 2] = [100.0, 4_000.0];

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let mut grid = table(&["server's cores"]);
    let mut rate_chart = Chart::new("Deliveries a second at 4,000 × 1,000 offered", "/s", ["fanfare"]);
    let mut raw = Vec::new();
    for cpus in ["0", "0,1"] {
        for rate in RATES {
            eprintln!("{rate} messages/s on cores {cpus}");
            let setup = Setup { cpus: (stage.cores > 1).then(|| cpus.to_owned()), ..Setup::default() };
            let node = stage.node(setup).await?;
            let pinned = stage.on_the_others()?;
            let figures = stage.rooms(&[&node], None, LAYOUT, rate).await?;
            drop(pinned);
            node.stop().await?;
            grid.row(row(&[cpus.to_owned()], &figures));
            if rate > 1_000.0 {
                rate_chart.group(format!("cores {cpus}"), [figures.rate]);
            }
            raw.push(figures);
        }
    }
    Ok(Found {
        title: "Cores",
        about: format!(
            "One channel of 1,000, memory broker, open loop, {} s each, with one and with two cores for the server. \
             The load generator is on core 1 (and above) both times, so with two cores for the server they share: \
             {} cores are all there are.",
            stage.seconds, stage.cores
        ),
        judged: Vec::new(),
        grid,
        charts: vec![rate_chart],
        raw: json!(raw),
    })
}
