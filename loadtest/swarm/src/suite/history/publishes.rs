//! The CPU of node and Redis per publish, with history and without, in turns.

use serde_json::{Value, json};

use super::{
    bare,
    setup::{ROOMS, setup},
};
use crate::{
    median::median,
    number::short,
    rooms::{Figures, Layout},
    servers::Redis,
    suite::{budget::Judged, stage::Stage},
    table::Table,
};

/// The messages a second to each channel.
const RATE: f64 = 25.0;

/// The budget of the node, to a publish without history.
const BUDGET: f64 = 1.25;

pub(super) async fn measure(stage: &Stage, grid: &mut Table) -> anyhow::Result<(Value, Vec<Judged>)> {
    let core = stage.one_core();
    let redis = Redis::start(core.as_deref()).await?;
    let node = stage.node(setup(&redis, core)).await?;
    let layout = Layout { rooms: ROOMS, members: 1, publishers: 1 };
    let mut rounds: [Vec<Figures>; 2] = Default::default();
    for round in 1..=stage.rounds {
        eprintln!("publishes, round {round}/{}", stage.rounds);
        for (path, figures) in ["/ws/suite", "/ws/kept:suite"].into_iter().zip(&mut rounds) {
            figures.push(stage.rooms_in(path, &[&node], Some(&redis), layout, RATE).await?);
        }
    }
    node.stop().await?;
    let floor = bare::measure(&redis).await?;
    let of = |figures: &[Figures], value: fn(&Figures) -> f64| median(figures.iter().map(value));
    let [without, with] = rounds.each_ref().map(|figures| {
        let node = of(figures, |figures| figures.cpu_per_publish.total);
        (node, of(figures, |figures| figures.beside_cpu.total))
    });
    let us = |value: f64| format!("{} µs", short(value));
    for (name, (node, redis)) in [("publish", without), ("publish with history", with)] {
        grid.row([name.to_owned(), us(node), us(redis), String::new(), String::new()]);
    }
    let bare = "bare script in redis-benchmark".to_owned();
    grid.row([bare, String::new(), us(floor), String::new(), String::new()]);
    let judged = vec![Judged::times("node, publish with history", "µs", with.0, without.0, BUDGET)];
    Ok((json!({ "without": rounds[0], "with": rounds[1], "bare_script": floor }), judged))
}
