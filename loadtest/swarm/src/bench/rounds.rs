//! Floor and server in turns, so that what disturbs the machine disturbs both.

use std::fmt;

use anyhow::Context as _;
use serde::Serialize;

use super::{Node, Plan};
use crate::{
    crowd,
    fanout::{ClosedLoop, Figures, Load, Until},
    floor::Floor,
    median::median,
    output::Table,
    process::CpuPer,
};

/// CPU per delivery of floor and server, in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Rounds {
    /// Subscribers, the publisher among them.
    pub subscribers: usize,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// Messages of a round, to each of the two.
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
#[derive(Debug, Clone, Serialize)]
pub struct Round {
    /// The floor's part.
    pub floor: Figures,
    /// The server's part.
    pub server: Figures,
}

impl Round {
    fn ratio(&self) -> f64 {
        self.server.cpu.total / self.floor.cpu.total
    }
}

/// Measures all rounds.
pub(super) async fn measure(plan: &Plan, node: &Node) -> anyhow::Result<Rounds> {
    let floor = Floor::start(&plan.swarm, plan.subscribers, plan.bytes).await?;
    let floor_pid = floor.pid().context("the floor has ended")?;
    let server_pid = node.pid()?;
    let target = node.target("/ws/fanout")?;
    let mut to_floor = ClosedLoop::start(floor.connect(plan.subscribers).await?, plan.bytes)?;
    let members = crowd::open(std::iter::repeat_n(&target, plan.subscribers)).await?;
    let mut to_server = ClosedLoop::start(members, plan.bytes)?;

    let load = |messages| Load { in_flight: 1, until: Until::Messages(messages), pace: None };
    let warm_up = load(plan.messages.div_ceil(5));
    to_floor.run(floor_pid, warm_up).await?;
    to_server.run(server_pid, warm_up).await?;
    let mut rounds = Vec::new();
    for number in 1..=plan.rounds {
        let round = Round {
            floor: to_floor.run(floor_pid, load(plan.messages)).await?,
            server: to_server.run(server_pid, load(plan.messages)).await?,
        };
        let (floor, server) = (round.floor.cpu.total, round.server.cpu.total);
        eprintln!("  round {number}/{}: floor {floor:.2} µs, server {server:.2} µs", plan.rounds);
        rounds.push(round);
    }
    Ok(Rounds::new(plan, rounds))
}

impl Rounds {
    fn new(plan: &Plan, rounds: Vec<Round>) -> Self {
        let cpu = |of: fn(&Round) -> CpuPer| {
            let part = |part: fn(CpuPer) -> f64| median(rounds.iter().map(|round| part(of(round))));
            CpuPer {
                total: part(|cpu| cpu.total),
                user: part(|cpu| cpu.user),
                system: part(|cpu| cpu.system),
            }
        };
        Self {
            subscribers: plan.subscribers,
            bytes: plan.bytes,
            messages: plan.messages,
            floor: cpu(|round| round.floor.cpu),
            server: cpu(|round| round.server.cpu),
            ratio: median(rounds.iter().map(Round::ratio)),
            rounds,
        }
    }
}

impl fmt::Display for Rounds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscribers, bytes, messages, floor, server, ratio, rounds } = self;
        let count = rounds.len();
        writeln!(
            out,
            "{bytes} B to {subscribers} subscribers, memory broker, one message in flight; \
             medians of {count} rounds of {messages} messages:"
        )?;
        let mut table = Table::new(["CPU per delivery", "total", "user", "system", "least", "most"]);
        let mut line = |name: &str, cpu: &CpuPer, of: fn(&Round) -> f64| {
            let least = rounds.iter().map(of).fold(f64::INFINITY, f64::min);
            let most = rounds.iter().map(of).fold(0.0, f64::max);
            let [total, user, system, least, most] =
                [cpu.total, cpu.user, cpu.system, least, most].map(|value| format!("{value:.2} µs"));
            table.row([name.to_owned(), total, user, system, least, most]);
        };
        line("floor: a bare send", floor, |round| round.floor.cpu.total);
        line("fanfare", server, |round| round.server.cpu.total);
        write!(out, "{table}")?;
        writeln!(out, "  ratio: {ratio:.2} × the floor")
    }
}
