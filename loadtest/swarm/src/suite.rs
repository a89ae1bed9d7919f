//! All figures of docs/performance.md: each case on servers of its own, beside its floor and its budget.

mod budget;
mod case;
mod centrifugo;
mod certificate;
mod collector;
mod connections;
mod cores;
mod costs;
mod fanout;
mod history;
mod open_loop;
mod overload;
mod plain;
mod publish;
mod redis;
mod rooms;
mod stage;
mod ways;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};

pub use self::{
    budget::{Budget, Judged, REFERENCE_SEND},
    case::Case,
};
use self::{case::Found, stage::Stage};
use crate::{cli::values::at_least_one, machine::Machine};

/// The flags of `swarm suite`.
#[derive(Debug, Clone, Args)]
pub struct SuiteArgs {
    /// Cases [default: all]
    #[arg(value_enum)]
    pub cases: Vec<Which>,
    /// The server [default: `fanfare` beside this program]
    #[arg(long, value_name = "PATH")]
    pub server: Option<PathBuf>,
    /// The directory for the figures, a file of JSON for each case
    #[arg(long, value_name = "DIR", default_value = ".work/bench")]
    pub out: PathBuf,
    /// Seconds of each open loop
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Rounds of each closed loop
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub rounds: usize,
}

/// A case, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// CPU per delivery beside a bare send, 100 to 9,900 subscribers, one message in flight and sixteen
    Fanout,
    /// One channel of 1,000, 200 to 4,000 messages a second, server and Redis on one core
    Overload,
    /// Many small channels, on one node and across two
    Rooms,
    /// Memory and heartbeats of 10,000 idle connections
    Idle,
    /// 10,000 upgrades at once
    Storm,
    /// The cost of a publish, and the most publishes a second
    Publish,
    /// The same load with one and with two cores
    Cores,
    /// The cost of TLS, permessage-deflate and sampled traces
    Costs,
    /// The cost of Centrifugo's protocol, beside the relay
    Centrifugo,
    /// The cost of plain HTTP, beside the WebSocket: deliveries, and the memory of streams and polls
    Plain,
    /// The cost of history and presence: publishes that are kept, clients that recover, memory
    History,
    /// The cost of a publish through one server of Redis, three, and a Cluster
    Redis,
}

/// Measures, prints, and writes a file for each case.
///
/// # Errors
/// A server does not start, a connection ends or a file cannot be written; the other cases are measured first. A figure
/// over its budget is not an error.
#[expect(clippy::print_stdout, reason = "the figures are the command's result")]
pub async fn run(args: &SuiteArgs, server: PathBuf, swarm: PathBuf) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let stage = Stage { server, swarm, seconds: args.seconds, rounds: args.rounds, cores };
    std::fs::create_dir_all(&args.out).with_context(|| format!("{}", args.out.display()))?;
    let cases = if args.cases.is_empty() { Which::value_variants() } else { &args.cases };
    let (mut judged, mut failed) = (Vec::new(), Vec::new());
    for which in cases {
        eprintln!("=== {}", which.name());
        match measured(*which, &stage).await {
            Ok(case) => {
                println!("{case}");
                write(&args.out, &case)?;
                judged.extend(case.judged);
            }
            Err(error) => failed.push(format!("{}: {error:#}", which.name())),
        }
    }
    println!("Figures and budgets\n\n{}", Judged::table(&judged));
    ensure!(failed.is_empty(), "not measured: {}", failed.join("; "));
    Ok(())
}

async fn measured(which: Which, stage: &Stage) -> anyhow::Result<Case> {
    let machine = Machine::this();
    let Found { title, about, judged, grid, charts, raw } = which.measure(stage).await?;
    let name = which.name();
    let command = format!("swarm suite {name} --seconds {} --rounds {}", stage.seconds, stage.rounds);
    Ok(Case { name, title: title.to_owned(), about, command, machine, judged, grid, charts, raw })
}

impl Which {
    /// The name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    async fn measure(self, stage: &Stage) -> anyhow::Result<Found> {
        match self {
            Self::Fanout => fanout::measure(stage).await,
            Self::Overload => overload::measure(stage).await,
            Self::Rooms => rooms::measure(stage).await,
            Self::Idle => connections::idle(stage).await,
            Self::Storm => connections::storm(stage).await,
            Self::Publish => publish::measure(stage).await,
            Self::Cores => cores::measure(stage).await,
            Self::Costs => costs::measure(stage).await,
            Self::Centrifugo => centrifugo::measure(stage).await,
            Self::Plain => plain::measure(stage).await,
            Self::History => history::measure(stage).await,
            Self::Redis => redis::measure(stage).await,
        }
    }
}

fn write(out: &Path, case: &Case) -> anyhow::Result<()> {
    let file = out.join(format!("{}.json", case.name));
    let text = serde_json::to_string_pretty(case)? + "\n";
    std::fs::write(&file, text).with_context(|| format!("{}", file.display()))
}
