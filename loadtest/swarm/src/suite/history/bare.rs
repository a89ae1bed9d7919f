//! A bare script in redis-benchmark: the least that Redis must do for a publish with history.

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::setup::ROOMS;
use crate::{process::Cpu, servers::Redis, suite::stage::BYTES};

const SCRIPT: &str = include_str!("bare.lua");

/// The number of calls, and those under way at the same time.
const CALLS: u64 = 200_000;
const IN_FLIGHT: u64 = 16;

/// The CPU of Redis for a call, in microseconds.
pub(super) async fn measure(redis: &Redis) -> anyhow::Result<f64> {
    eprintln!("{CALLS} calls of a bare script");
    let port = redis.port().to_string();
    let loaded = run("redis-cli", &["-p", &port, "SCRIPT", "LOAD", SCRIPT]).await?;
    let payload = "x".repeat(BYTES);
    // A random number of 12 digits stands for `__rand_int__`.
    let call = ["EVALSHA", loaded.trim(), "1", "bare:__rand_int__", &payload];
    let once = run("redis-cli", &[&["-p", &port], &call[..]].concat()).await?;
    ensure!(once.trim().parse() == Ok(1), "the bare script answered {once}");
    let [calls, in_flight, rooms] = [CALLS, IN_FLIGHT, ROOMS as u64].map(|number| number.to_string());
    let load = ["-p", &port, "-n", &calls, "-P", &in_flight, "-r", &rooms, "-c", "1", "-q"];
    let before = Cpu::of(redis.pid()?)?;
    run("redis-benchmark", &[&load, &call[..]].concat()).await?;
    Ok((Cpu::of(redis.pid()?)? - before).per(CALLS).total)
}

async fn run(program: &str, words: &[&str]) -> anyhow::Result<String> {
    let run = Command::new(program).args(words).kill_on_drop(true).output().await;
    let output = run.with_context(|| format!("{program} (Debian: apt-get install redis-tools)"))?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
