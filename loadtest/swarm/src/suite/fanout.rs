//! CPU per delivery, closed loop, beside a bare `send`; and paced through Redis.

use serde_json::json;

use super::{
    budget::Judged,
    case::Found,
    stage::{BYTES, Stage},
};
use crate::{
    chart::Chart,
    number::short,
    rooms::Layout,
    rounds::{self, Rounds, Shape},
    servers::{Redis, Setup},
    table::Table,
};

/// Subscribers. A process may have twice the largest number of connections: to the floor and to the server.
const SIZES: [usize; 3] = [100, 1_000, 9_900];

/// Messages in flight, and the budget of a delivery in floors.
const IN_FLIGHT: [(usize, f64); 2] = [(1, 1.15), (16, 1.5)];

/// Deliveries in a round.
const DELIVERIES: u64 = 300_000;

pub(super) async fn measure(stage: &Stage) -> anyhow::Result<Found> {
    let mut judged = Vec::new();
    let mut grid = Table::new([
        "subscribers",
        "in flight",
        "floor",
        "fanfare",
        "user",
        "system",
        "ratio",
        "load generator / server",
        "of that in the kernel",
        "p50",
        "p99",
    ]);
    let mut charts = IN_FLIGHT.map(|(in_flight, _)| {
        Chart::new(
            &format!("CPU per delivery, {in_flight} in flight, by subscribers"),
            "µs",
            ["floor: a bare send", "fanfare"],
        )
    });
    let mut raw = Vec::new();
    for subscribers in SIZES {
        for ((in_flight, budget), chart) in IN_FLIGHT.into_iter().zip(&mut charts) {
            eprintln!("{subscribers} subscribers, {in_flight} in flight");
            let found = of_size(stage, subscribers, in_flight).await?;
            let what =
                format!("delivery to {} subscribers, {in_flight} in flight", short(subscribers as f64));
            let times = Judged::times(what, "µs", found.server.total, found.floor.total, budget);
            // The median of the rounds' own ratios: a disturbance of a round disturbed both of its parts.
            judged.push(Judged { ratio: Some(found.ratio), ..times });
            chart.group(short(subscribers as f64), [found.floor.total, found.server.total]);
            grid.row(row(&found));
            raw.push(found);
        }
    }
    let paced = paced(stage, &mut judged).await?;
    Ok(Found {
        title: "Fan-out",
        about: format!(
            "One channel, {BYTES} B, memory broker, closed loop: a message is sent when the one before it has reached \
             everybody, or with sixteen under way. CPU of the server process per delivery, medians of {} rounds in \
             turns with the floor, a process of one thread that does nothing but `send` the same bytes to as many \
             sockets (with sixteen in flight: sixteen frames in one `send`). Through Redis: 1,000 subscribers, 20 \
             messages a second, open loop, beside a bare relay of one thread without Redis at the same pace (a socket \
             that was idle costs more to write to than one that is written to all the time). The ratio is the median of the rounds' ratios, latency the last round's.",
            stage.rounds
        ),
        judged,
        grid,
        charts: charts.to_vec(),
        raw: json!({ "closed": raw, "paced": paced }),
    })
}

async fn of_size(stage: &Stage, subscribers: usize, in_flight: usize) -> anyhow::Result<Rounds> {
    let node = stage.node(Setup::default()).await?;
    let messages = (DELIVERIES * in_flight as u64 / subscribers as u64).clamp(20, 5_000);
    let shape = Shape { subscribers, bytes: BYTES, in_flight, rounds: stage.rounds, messages };
    let rounds = rounds::measure(&stage.swarm, shape, &node).await?;
    node.stop().await?;
    Ok(rounds)
}

fn percent(part: f64) -> String {
    format!("{:.0} %", 100.0 * part)
}

fn row(found: &Rounds) -> [String; 11] {
    let us = |value| format!("{} µs", short(value));
    let last = found.rounds.last().map(|round| &round.server);
    let ms = |of: fn(crate::latency::Latency) -> u64| {
        last.map(|figures| format!("{} ms", short(of(figures.latency) as f64 / 1e3))).unwrap_or_default()
    };
    [
        short(found.subscribers as f64),
        found.in_flight.to_string(),
        us(found.floor.total),
        us(found.server.total),
        us(found.server.user),
        us(found.server.system),
        format!("{:.2} ×", found.ratio),
        last.map(|figures| short(figures.swarm_cpu.total / figures.cpu.total)).unwrap_or_default(),
        last.map(|figures| percent(figures.swarm_cpu.system / figures.swarm_cpu.total)).unwrap_or_default(),
        ms(|latency| latency.p50),
        ms(|latency| latency.p99),
    ]
}

async fn paced(stage: &Stage, judged: &mut Vec<Judged>) -> anyhow::Result<serde_json::Value> {
    let layout = Layout { rooms: 1, members: 1_000, publishers: 1 };
    let floor = stage.bare_rooms(None, None, layout, 20.0).await?;
    let redis = Redis::start(None).await?;
    let node = stage.node(redis.setup(None)).await?;
    let figures = stage.rooms(&[&node], Some(&redis), layout, 20.0).await?;
    node.stop().await?;
    let (took, bare) = (figures.cpu.total, floor.cpu.total);
    judged.push(Judged::times("delivery, 1,000 × 20/s through Redis", "µs", took, bare, 1.6));
    Ok(json!({ "floor": floor, "figures": figures }))
}
