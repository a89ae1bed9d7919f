//! The same load with one core and with two.

use serde_json::json;

use super::{
    Chart, Found, Grid,
    overload::{HEAD, row},
    stage::Stage,
};
use crate::{bench::node::Setup, rooms::Layout};

const LAYOUT: Layout = Layout { rooms: 1, members: 1_000, publishers: 16 };
const RATES: [f64; 2] = [100.0, 4_000.0];

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let mut head = vec!["server's cores".to_owned()];
    head.extend(HEAD.map(str::to_owned));
    let mut grid = Grid { rows: vec![head] };
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
            let mut cells = vec![cpus.to_owned()];
            cells.extend(row(&figures));
            grid.row(cells);
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
