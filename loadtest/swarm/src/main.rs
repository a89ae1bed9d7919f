//! The `swarm` command.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser as _;
use fanfare_swarm::{
    bench,
    chart::Drawn,
    cli::{self, Cli, Command, FanoutArgs, RoomsArgs},
    client::Target,
    drain, fanout, floor, idle,
    machine::Machine,
    output::{OutputArgs, Report},
    report, rolling, rooms, slow, storm, suite, verify, worker,
};
use serde::Serialize;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("swarm: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command. `false`: its check found a fault.
fn run(command: Command) -> anyhow::Result<bool> {
    let swarm = std::env::current_exe().context("the path of this program")?;
    match command {
        Command::FloorServer(args) => floor::serve(&args).map(|()| true),
        Command::Report(args) => report::run(&args).map(|()| true),
        // One thread: the load generator uses at most one core, and its tasks share one read buffer.
        command => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(Box::pin(measure(command, swarm))),
    }
}

async fn measure(command: Command, swarm: PathBuf) -> anyhow::Result<bool> {
    match command {
        Command::Bench(args) => {
            let plan = args.plan(server(args.server.clone(), &swarm), swarm);
            delivered("bench", &args.output, bench::run(&plan), |_| true).await
        }
        Command::Suite(args) => {
            let server = server(args.server.clone(), &swarm);
            suite::run(&args, server, swarm).await.map(|()| true)
        }
        Command::Fanout(args) => match args.rate {
            Some(rate) => open_loop(args.open(rate), swarm).await,
            None => closed_loop(args).await,
        },
        Command::Rooms(args) => open_loop(args, swarm).await,
        Command::Storm(args) => {
            let (targets, plan) = (args.servers.nodes.targets()?, args.plan(swarm));
            let is_right = |figures: &storm::Figures| figures.failures.is_empty();
            delivered("storm", &args.output, storm::run(&targets, &plan), is_right).await
        }
        Command::Idle(args) => {
            let (targets, plan) = (args.servers.nodes.targets()?, args.plan(swarm));
            delivered("idle", &args.output, idle::run(&targets, &plan), |_| true).await
        }
        Command::Slow(args) => {
            let plan = args.plan(server(args.server.clone(), &swarm));
            delivered("slow", &args.output, slow::run(&plan), |_| true).await
        }
        Command::Verify(args) if args.history.history => {
            let plan = args.history_plan(args.nodes.targets()?);
            let is_right = verify::history::Summary::is_right;
            delivered("verify", &args.output, verify::history::run(&plan), is_right).await
        }
        Command::Verify(args) => {
            let plan = args.plan(args.nodes.targets()?);
            delivered("verify", &args.output, verify::run(&plan), verify::Summary::is_right).await
        }
        Command::Drain(args) => {
            let plan = args.plan(server(args.server.clone(), &swarm), swarm);
            delivered("drain", &args.output, drain::run(&plan), drain::Figures::is_right).await
        }
        Command::Rolling(args) => {
            let plan = args.plan(Target::parse(&args.url, &cli::own_path())?);
            delivered("rolling", &args.output, rolling::run(&plan), rolling::Figures::is_right).await
        }
        Command::Worker => worker::serve().await.map(|()| true),
        Command::Report(_) | Command::FloorServer(_) => Ok(true),
    }
}

async fn closed_loop(args: FanoutArgs) -> anyhow::Result<bool> {
    let (target, plan) = (args.target()?, args.plan());
    delivered("fanout", &args.output, fanout::run(&target, &plan), |_| true).await
}

async fn open_loop(args: RoomsArgs, swarm: PathBuf) -> anyhow::Result<bool> {
    let plan = args.plan(args.servers.nodes.targets()?, swarm)?;
    delivered("rooms", &args.output, rooms::run(&plan), rooms::Figures::is_right).await
}

/// Measures, and delivers the figures. Returns whether they are right.
async fn delivered<F: Serialize + fmt::Display + Drawn>(
    command: &'static str,
    output: &OutputArgs,
    figures: impl Future<Output = anyhow::Result<F>>,
    is_right: impl FnOnce(&F) -> bool,
) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let report = Report { command, machine, figures: figures.await? };
    report.deliver(output)?;
    Ok(is_right(&report.figures))
}

/// The named server, else the program `fanfare` beside this one.
fn server(named: Option<PathBuf>, swarm: &Path) -> PathBuf {
    named.unwrap_or_else(|| swarm.with_file_name("fanfare"))
}
