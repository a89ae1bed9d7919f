//! The `swarm` command.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser as _;
use fanfare_swarm::{
    bench,
    cli::{BenchArgs, Cli, Command, FanoutArgs, IdleArgs, SlowArgs, VerifyArgs},
    client::Target,
    fanout, floor, idle,
    machine::Machine,
    output::Report,
    slow, verify,
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
        return floor::serve(args.subscribers, args.bytes).map(|()| true);
    }
    // One thread: the load generator takes one core at most, and its tasks share one read buffer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Bench(args) => bench(args).await,
            Command::Fanout(args) => fanout(args).await,
            Command::Idle(args) => idle(args).await,
            Command::Slow(args) => slow(args).await,
            Command::Verify(args) => verify(args).await,
            Command::FloorServer(_) => Ok(true),
        }
    })
}

async fn bench(args: BenchArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let swarm = std::env::current_exe().context("the path of this program")?;
    let server = beside(args.server.clone(), &swarm);
    let figures = bench::run(&bench::Plan::new(&args, server, swarm)).await?;
    Report { command: "bench", machine, figures }.deliver(args.json.as_deref())?;
    Ok(true)
}

async fn slow(args: SlowArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let swarm = std::env::current_exe().context("the path of this program")?;
    let figures = slow::run(&args.plan(beside(args.server.clone(), &swarm))).await?;
    Report { command: "slow", machine, figures }.deliver(args.json.as_deref())?;
    Ok(true)
}

/// The server that was named, else the one beside this program.
fn beside(server: Option<PathBuf>, swarm: &Path) -> PathBuf {
    server.unwrap_or_else(|| swarm.with_file_name("fanfare"))
}

async fn fanout(args: FanoutArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let target = Target::parse(&args.url, &own_path())?;
    let figures = fanout::run(&target, &args.plan()).await?;
    Report { command: "fanout", machine, figures }.deliver(args.json.as_deref())?;
    Ok(true)
}

async fn idle(args: IdleArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let target = Target::parse(&args.url, &own_path())?;
    let figures = idle::run(&target, &args.plan()).await?;
    Report { command: "idle", machine, figures }.deliver(args.json.as_deref())?;
    Ok(true)
}

async fn verify(args: VerifyArgs) -> anyhow::Result<bool> {
    let machine = Machine::this();
    let own_path = own_path();
    let targets = args.url.iter().map(|url| Target::parse(url, &own_path)).collect::<Result<Vec<_>, _>>()?;
    let figures = verify::run(&args.plan(targets)).await?;
    let right = figures.is_right();
    Report { command: "verify", machine, figures }.deliver(args.json.as_deref())?;
    Ok(right)
}

/// A channel of this run's own, for a URL without one.
fn own_path() -> String {
    format!("/ws/swarm-{:08x}", rand::random::<u32>())
}
