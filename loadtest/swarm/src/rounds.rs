//! CPU per delivery of a floor and of a server, in turns: a disturbance of the machine disturbs both.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    connect,
    fanout::{ClosedLoop, Figures, Load, Until},
    floor::{Floor, FloorArgs},
    median::median,
    process::CpuPer,
    servers::Node,
    table::Table,
};

/// The shape of the rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Subscribers, the publisher among them.
    pub(crate) subscribers: usize,
    /// Payload of a message in bytes.
    pub(crate) bytes: usize,
    /// Messages in flight; the floor puts as many frames into one `send`.
    pub(crate) in_flight: usize,
    /// Rounds of floor and server.
    pub(crate) rounds: usize,
    /// Messages of a round, to the floor and to the server each: rounded up to whole `send`s of the floor.
    pub(crate) messages: u64,
}

/// CPU per delivery of floor and server, in microseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rounds {
    /// Subscribers, the publisher among them.
    pub subscribers: usize,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// Messages in flight, and frames of one `send` of the floor.
    pub in_flight: usize,
    /// Messages of a round, to the floor and to the server each.
    pub messages: u64,
    /// The median round of the floor.
    pub floor: CpuPer,
    /// The median round of the server.
    pub server: CpuPer,
    /// The median of the rounds' ratios, server to floor.
    pub ratio: f64,
    /// Every round in order.
    pub rounds: Vec<Round>,
}

/// One round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Round {
    /// The floor's figures.
    pub floor: Figures,
    /// The server's figures.
    pub server: Figures,
}

impl Round {
    fn ratio(&self) -> f64 {
        self.server.cpu.total / self.floor.cpu.total
    }
}

/// Measures all rounds.
pub(crate) async fn measure(swarm: &Path, shape: Shape, node: &Node) -> anyhow::Result<Rounds> {
    let Shape { subscribers, bytes, in_flight, .. } = shape;
    let floor = Floor::start(swarm, &FloorArgs::send(subscribers, bytes, in_flight)).await?;
    let (floor_pid, server_pid) = (floor.pid()?, node.pid()?);
    let target = node.target("/ws/fanout")?;
    let mut to_floor = ClosedLoop::start(floor.connect(subscribers).await?, bytes)?;
    let members = connect::all(std::iter::repeat_n(&target, subscribers)).await?;
    let mut to_server = ClosedLoop::start(members, bytes)?;

    let whole = |messages: u64| messages.next_multiple_of(in_flight as u64);
    let load = |messages| Load { in_flight, until: Until::Messages(whole(messages)), pace: None };
    let warm_up = load(shape.messages.div_ceil(5));
    to_floor.run(floor_pid, warm_up).await?;
    to_server.run(server_pid, warm_up).await?;
    let mut rounds = Vec::new();
    for number in 1..=shape.rounds {
        let round = Round {
            floor: to_floor.run(floor_pid, load(shape.messages)).await?,
            server: to_server.run(server_pid, load(shape.messages)).await?,
        };
        let (floor, server) = (round.floor.cpu.total, round.server.cpu.total);
        eprintln!("  round {number}/{}: floor {floor:.3} µs, server {server:.3} µs", shape.rounds);
        rounds.push(round);
    }
    Ok(Rounds::new(shape, rounds))
}

impl Rounds {
    fn new(shape: Shape, rounds: Vec<Round>) -> Self {
        let cpu = |of: fn(&Round) -> CpuPer| {
            let part = |part: fn(CpuPer) -> f64| median(rounds.iter().map(|round| part(of(round))));
            CpuPer {
                total: part(|cpu| cpu.total),
                user: part(|cpu| cpu.user),
                system: part(|cpu| cpu.system),
            }
        };
        Self {
            subscribers: shape.subscribers,
            bytes: shape.bytes,
            in_flight: shape.in_flight,
            messages: shape.messages,
            floor: cpu(|round| round.floor.cpu),
            server: cpu(|round| round.server.cpu),
            ratio: median(rounds.iter().map(Round::ratio)),
            rounds,
        }
    }
}

impl fmt::Display for Rounds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscribers, bytes, in_flight, messages, floor, server, ratio, rounds } = self;
        let count = rounds.len();
        writeln!(
            out,
            "{bytes} B to {subscribers} subscribers, memory broker, {in_flight} in flight; \
             medians of {count} rounds of {messages} messages:"
        )?;
        let mut table = Table::new(["CPU per delivery", "total", "user", "system", "least", "most"]);
        let mut line = |name: &str, cpu: &CpuPer, of: fn(&Round) -> f64| {
            let least = rounds.iter().map(of).fold(f64::INFINITY, f64::min);
            let most = rounds.iter().map(of).fold(0.0, f64::max);
            let [total, user, system, least, most] =
                [cpu.total, cpu.user, cpu.system, least, most].map(|value| format!("{value:.3} µs"));
            table.row([name.to_owned(), total, user, system, least, most]);
        };
        line("floor: a bare send", floor, |round| round.floor.cpu.total);
        line("fanfare", server, |round| round.server.cpu.total);
        write!(out, "{table}")?;
        writeln!(out, "  ratio: {ratio:.2} × the floor")
    }
}
