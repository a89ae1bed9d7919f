//! `make chaos`: see [`fanfare_testkit::chaos`].

#![expect(clippy::print_stdout, reason = "the lines of the seeds are the result")]

use std::{path::PathBuf, process::ExitCode, str::FromStr, time::Duration};

use clap::Parser;
use fanfare_testkit::chaos::{
    self, Settings,
    plan::{Kind, Topology},
};

/// Faults that a seed decides, on three nodes behind HAProxy and one Redis or several, while publishers and subscribers of
/// channels with history go on. Exit code 1 if an acknowledged message did not reach every subscriber exactly once, in
/// order. A message that Redis lost by a failover or with its memory must have been told.
///
/// The nodes are the binary `fanfare` that the variable BIN names, or the one in cargo's folder.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
struct Args {
    /// A seed; repeat it for several. It gives the same faults again
    #[arg(long, value_name = "N")]
    seed: Vec<u64>,
    /// The seeds 1 to N
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "seed")]
    seeds: u64,
    /// The seconds in which faults begin and end
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// The Redis: `one` server, `three` servers that share the channels, `sentinel`s, a `cluster`; or `by-seed`
    #[arg(long, value_name = "REDIS", default_value = "one")]
    redis: Choice,
    /// The kinds of faults, with commas between them [default: all that the Redis can have, but with one server `wipe`,
    /// after which messages are lost and clients must be told]
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    faults: Vec<Kind>,
    /// The default kinds, and `wipe`
    #[arg(long, conflicts_with = "faults")]
    with_wipe: bool,
    /// One run with each kind of the faults by itself
    #[arg(long)]
    each: bool,
    /// Clients that listen over WebSockets
    #[arg(long, value_name = "N", default_value_t = 40)]
    subscribers: usize,
    /// Clients of npm's centrifuge that listen, and a third of them publishes: over WebSockets, HTTP streams and SSE. Its
    /// packages are those of tests/centrifugo
    #[arg(long, value_name = "N", default_value_t = 30)]
    sdk: usize,
    /// Clients of plain HTTP that listen, and a third of them publishes: by /sse, /stream and /poll
    #[arg(long, value_name = "N", default_value_t = 30)]
    plain: usize,
    /// Messages a second
    #[arg(long, value_name = "R", default_value_t = 150.0)]
    rate: f64,
    /// The folder for the logs of runs that go wrong
    #[arg(long, value_name = "DIR", default_value = ".work/chaos")]
    logs: PathBuf,
}

/// The Redis of each seed.
#[derive(Debug, Clone, Copy)]
enum Choice {
    Always(Topology),
    BySeed,
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "by-seed" { Ok(Self::BySeed) } else { text.parse().map(Self::Always) }
    }
}

impl Args {
    fn runs(&self) -> Vec<Settings> {
        let seeds = if self.seed.is_empty() { (1..=self.seeds).collect() } else { self.seed.clone() };
        seeds.iter().flat_map(|seed| self.runs_of(*seed)).collect()
    }

    fn runs_of(&self, seed: u64) -> Vec<Settings> {
        let redis = match self.redis {
            Choice::Always(redis) => redis,
            Choice::BySeed => Topology::of_seed(seed),
        };
        let kinds: Vec<Kind> = match (self.faults.as_slice(), self.with_wipe) {
            ([], false) => Kind::usual(redis).collect(),
            ([], true) => Kind::of(redis).collect(),
            (named, _) => named.iter().copied().filter(|kind| kind.fits(redis)).collect(),
        };
        let sets = kinds.chunks(if self.each { 1 } else { kinds.len().max(1) });
        sets.map(|kinds| Settings {
            seed,
            lasts: Duration::from_secs(self.seconds),
            redis,
            kinds: kinds.to_vec(),
            subscribers: self.subscribers,
            sdk: self.sdk,
            plain: self.plain,
            rate: self.rate,
            logs: Some(self.logs.clone()),
        })
        .collect()
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let (runs, mut wrong) = (Args::parse().runs(), Vec::new());
    if runs.is_empty() {
        eprintln!("the Redis of --redis cannot have these --faults");
        return ExitCode::FAILURE;
    }
    for run in runs {
        let summary = chaos::run(&run).await;
        eprintln!("{summary}");
        println!("{}", run.line(&summary));
        if !summary.is_right() {
            wrong.push(run.name());
        }
    }
    if wrong.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("WRONG: {}", wrong.join(", "));
    ExitCode::FAILURE
}
