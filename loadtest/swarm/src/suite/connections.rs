//! The cost of connections without messages: memory, heartbeats, a storm of upgrades.

use std::time::Duration;

use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use super::{
    budget::{Budget, Judged},
    case::Found,
    stage::Stage,
};
use crate::{
    chart::Chart,
    connection_pool::origin::Origin,
    floor::{Floor, FloorArgs},
    idle,
    number::short,
    process::Cpu,
    servers::Setup,
    storm,
    table::Table,
};

const CONNECTIONS: usize = 10_000;

/// The default of Fanfare's `relay.ping_interval`.
const PING_INTERVAL: Duration = Duration::from_secs(25);

/// Two intervals: each connection is pinged twice.
const WATCH: Duration = Duration::from_secs(50);

/// The budget of heartbeats: 0.6 % of a core, on a machine on which bare heartbeats took 0.36 %.
const HEARTBEATS: f64 = 0.6 / 0.36;

pub(super) async fn idle(stage: &Stage) -> anyhow::Result<Found> {
    let node = stage.node(Setup::default()).await?;
    let plan = idle::Plan {
        watch: WATCH,
        ..idle::Plan::of_memory(Origin::new(stage.swarm.clone()), node.pid()?, CONNECTIONS)
    };
    let figures = idle::run(&[node.target("/ws/idle")?], &plan).await?;
    node.stop().await?;
    eprintln!("{figures}\nbare ping and pong");
    let floor = bare_heartbeats(stage).await?;

    let mut grid = Table::new(["10,000 idle connections", "fanfare", "floor"]);
    let per = figures.per_connection;
    for (name, bytes) in [("user memory", per.private_dirty), ("resident memory", per.rss)] {
        grid.row([format!("{name} per connection"), format!("{} B", short(bytes)), String::new()]);
    }
    let percent = |cores: f64| format!("{:.3} % of a core", 100.0 * cores);
    grid.row(["CPU for heartbeats".to_owned(), percent(figures.cores), percent(floor)]);
    let mut chart =
        Chart::new("CPU for heartbeats of 10,000 connections", "% of a core", ["floor", "fanfare"]);
    chart.group("every 25 s", [100.0 * floor, 100.0 * figures.cores]);
    let judged = vec![
        Judged::bound("user memory per idle connection", "B", per.private_dirty, Budget::AtMost(1024.0)),
        Judged::times(
            "heartbeats of 10,000",
            "% of a core",
            100.0 * figures.cores,
            100.0 * floor,
            HEARTBEATS,
        ),
    ];
    Ok(Found {
        title: "Idle connections",
        about: format!(
            "A fresh server with the memory broker. Memory is what only this process has written (`Private_Dirty`), \
             {} s after the last handshake, less the memory before. CPU over {} s, a ping each 25 s; the floor pings \
             as often from one thread, and reads the pongs.",
            idle::REST.as_secs(),
            WATCH.as_secs()
        ),
        judged,
        grid,
        charts: vec![chart],
        raw: json!({ "fanfare": figures, "floor_cores": floor }),
    })
}

/// The CPU of bare pings and pongs for as many connections, in cores.
async fn bare_heartbeats(stage: &Stage) -> anyhow::Result<f64> {
    let floor = Floor::start(&stage.swarm, &FloorArgs::ping(CONNECTIONS, PING_INTERVAL)).await?;
    let mut tasks = JoinSet::new();
    for connection in floor.connect(CONNECTIONS).await? {
        tasks.spawn(connection.count(|| {}));
    }
    sleep(Duration::from_secs(2)).await;
    let before = Cpu::of(floor.pid()?)?;
    sleep(WATCH).await;
    Ok((Cpu::of(floor.pid()?)? - before).share_of(WATCH))
}

pub(super) async fn storm(stage: &Stage) -> anyhow::Result<Found> {
    let mut plan = storm::Plan {
        origin: Origin::new(stage.swarm.clone()),
        pids: Vec::new(),
        connections: CONNECTIONS,
        at_once: CONNECTIONS,
        rest: Duration::from_secs(1),
    };
    eprintln!("bare accept, read and write");
    let server = Floor::start(&stage.swarm, &FloorArgs::relay(CONNECTIONS, None)).await?;
    plan.pids = vec![server.pid()?];
    let floor = storm::run(&[server.target("/ws/storm")?], &plan).await?;
    drop(server);
    eprintln!("{floor}\nfanfare");
    let node = stage.node(Setup::default()).await?;
    (plan.pids, plan.rest) = (vec![node.pid()?], Duration::from_secs(10));
    let found = storm::run(&[node.target("/ws/storm")?], &plan).await?;
    node.stop().await?;

    let mut grid = Table::new(["10,000 upgrades at once", "fanfare", "floor"]);
    let mut both =
        |name: &str, of: fn(&storm::Figures) -> String| grid.row([name.to_owned(), of(&found), of(&floor)]);
    both("connected", |figures| short(figures.connected as f64));
    both("failed", |figures| figures.failures.values().sum::<u64>().to_string());
    both("all connected after", |figures| format!("{} s", short(figures.seconds)));
    both("p50 of a client", |figures| format!("{} ms", short(figures.latency.p50 as f64 / 1e3)));
    both("p99 of a client", |figures| format!("{} ms", short(figures.latency.p99 as f64 / 1e3)));
    both("CPU per connection", |figures| format!("{} µs", short(figures.cpu.total)));
    both("of it in the kernel", |figures| format!("{} µs", short(figures.cpu.system)));
    both("load generator per connection", |figures| format!("{} µs", short(figures.swarm_cpu.total)));
    both("user memory right after", |figures| format!("{} B", short(figures.right_after.private_dirty)));
    let rested = found.rested.private_dirty;
    grid.row(["user memory after 10 s".to_owned(), format!("{} B", short(rested)), String::new()]);
    let mut chart =
        Chart::new("CPU to accept, upgrade and subscribe one connection", "µs", ["floor", "fanfare"]);
    chart.group("10,000 at once", [floor.cpu.total, found.cpu.total]);
    let failed = found.failures.values().sum::<u64>() as f64;
    let judged = vec![
        Judged::times("accept, upgrade, subscribe", "µs", found.cpu.total, floor.cpu.total, 2.5),
        Judged::bound("user memory per connection 10 s after a storm", "B", rested, Budget::AtMost(1536.0)),
        Judged::bound("upgrades that failed", "", failed, Budget::AtMost(0.0)),
    ];
    Ok(Found {
        title: "Storm",
        about: "10,000 clients connect at once to a fresh server with the memory broker, all to one channel. The floor \
                is one thread with one epoll that accepts, reads each request when it has come, and writes the 101."
            .to_owned(),
        judged,
        grid,
        charts: vec![chart],
        raw: json!({ "fanfare": found, "floor": floor }),
    })
}
