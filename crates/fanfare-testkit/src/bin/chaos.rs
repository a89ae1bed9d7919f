//! `make chaos`: see [`fanfare_testkit::chaos`].

#![expect(clippy::print_stdout, reason = "the lines of the seeds are the result")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use fanfare_testkit::chaos::{self, Settings, plan::Kind};

/// Faults that a seed decides, on three nodes behind HAProxy and one Redis, while publishers and subscribers of channels
/// with history go on. Exit code 1 if an acknowledged message did not reach every subscriber exactly once, in order.
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
    /// The kinds of faults, with commas between them [default: all but `wipe`, after which messages are lost and clients
    /// must be told]
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

impl Args {
    fn runs(&self) -> Vec<Settings> {
        let kinds: Vec<Kind> = match (self.faults.as_slice(), self.with_wipe) {
            ([], false) => Kind::harmless().collect(),
            ([], true) => Kind::ALL.to_vec(),
            (named, _) => named.to_vec(),
        };
        let sets: Vec<&[Kind]> = if self.each { kinds.chunks(1).collect() } else { vec![&kinds] };
        let seeds = if self.seed.is_empty() { (1..=self.seeds).collect() } else { self.seed.clone() };
        let runs = seeds.iter().flat_map(|seed| sets.iter().map(move |kinds| (*seed, *kinds)));
        runs.map(|(seed, kinds)| Settings {
            seed,
            lasts: Duration::from_secs(self.seconds),
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
    let mut wrong = Vec::new();
    for run in Args::parse().runs() {
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
