//! The `swarm` command.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser as _;
use fanfare_swarm::{
    bench,
    cli::{
        self, BenchArgs, Cli, Command, DrainArgs, FanoutArgs, IdleArgs, RollingArgs, RoomsArgs, SlowArgs,
        StormArgs, VerifyArgs,
    },
    client::Target,
    drain, fanout,
    flock::worker,
    floor, idle,
    machine::Machine,
    output::Report,
    report, rolling, rooms, slow, storm,
    suite::{self, SuiteArgs},
    verify,
};

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

/// Carries out a command; `false` says that what it checked is wrong.
fn run(command: Command) -> anyhow::Result<bool> {
    if let Command::FloorServer(args) = command {
        return floor::serve(&args).map(|()| true);
    }
    if let Command::Report(args) = command {
        return report::run(&args).map(|()| true);
    }
    // One thread: the load generator takes one core at most, and its tasks share one read buffer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Bench(args) => bench(args).await,
            Command::Suite(args) => suite(args).await,
            Command::Fanout(args) => match args.rate {
                Some(rate) => rooms(args.open(rate)).await,
                None => fanout(args).await,
            },
            Command::Rooms(args) => rooms(args).await,
            Command::Storm(args) => storm(args).await,
            Command::Idle(args) => idle(args).await,
            Command::Slow(args) => slow(args).await,
            Command::Verify(args) => verify(args).await,
            Command::Drain(args) => drain(args).await,
            Command::Rolling(args) => rolling(args).await,
            Command::Worker => worker::serve().await.map(|()| true),
            Command::Report(_) | Command::FloorServer(_) => Ok(true),
        }
    })
}

async fn bench(args: BenchArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let swarm = std::env::current_exe().context("the path of this program")?;
    let server = beside(args.server.clone(), &swarm);
    let figures = bench::run(&bench::Plan::new(&args, server, swarm)).await?;
    Report { command: "bench", machine, figures }.deliver(&args.output)?;
    Ok(true)
}

async fn slow(args: SlowArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let swarm = std::env::current_exe().context("the path of this program")?;
    let figures = slow::run(&args.plan(beside(args.server.clone(), &swarm))).await?;
    Report { command: "slow", machine, figures }.deliver(&args.output)?;
    Ok(true)
}

/// The server that was named, else the one beside this program.
fn beside(server: Option<PathBuf>, swarm: &Path) -> PathBuf {
    server.unwrap_or_else(|| swarm.with_file_name("fanfare"))
}

async fn fanout(args: FanoutArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let figures = fanout::run(&args.target()?, &args.plan()).await?;
    Report { command: "fanout", machine, figures }.deliver(&args.output)?;
    Ok(true)
}

async fn suite(args: SuiteArgs) -> anyhow::Result<bool> {
    let swarm = std::env::current_exe().context("the path of this program")?;
    let server = beside(args.server.clone(), &swarm);
    suite::run(&args, server, swarm).await.map(|()| true)
}

async fn rooms(args: RoomsArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let swarm = std::env::current_exe().context("the path of this program")?;
    let figures = rooms::run(&args.plan(args.nodes.targets()?, swarm)?).await?;
    let right = figures.is_right();
    Report { command: "rooms", machine, figures }.deliver(&args.output)?;
    Ok(right)
}

async fn storm(args: StormArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let swarm = std::env::current_exe().context("the path of this program")?;
    let figures = storm::run(&args.nodes.targets()?, &args.plan(swarm)).await?;
    let right = figures.failures.is_empty();
    Report { command: "storm", machine, figures }.deliver(&args.output)?;
    Ok(right)
}

async fn idle(args: IdleArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let swarm = std::env::current_exe().context("the path of this program")?;
    let figures = idle::run(&args.nodes.targets()?, &args.plan(swarm)).await?;
    Report { command: "idle", machine, figures }.deliver(&args.output)?;
    Ok(true)
}

async fn verify(args: VerifyArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let figures = verify::run(&args.plan(args.nodes.targets()?)).await?;
    let right = figures.is_right();
    Report { command: "verify", machine, figures }.deliver(&args.output)?;
    Ok(right)
}

async fn drain(args: DrainArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let swarm = std::env::current_exe().context("the path of this program")?;
    let server = beside(args.server.clone(), &swarm);
    let figures = drain::run(&args.plan(server, swarm)).await?;
    let right = figures.is_right();
    Report { command: "drain", machine, figures }.deliver(&args.output)?;
    Ok(right)
}

async fn rolling(args: RollingArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let target = Target::parse(&args.url, &cli::own_path())?;
    let figures = rolling::run(&args.plan(target)).await?;
    let right = figures.is_right();
    Report { command: "rolling", machine, figures }.deliver(&args.output)?;
    Ok(right)
}
