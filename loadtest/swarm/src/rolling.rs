//! The effect of a rolling restart, or of another command that changes a cluster, on clients and publishers.
//!
//! - `plan`: the settings; `run`: the notes of clients and publishers
//! - `member`: a client; `publisher`: the publisher of a channel
//! - `ledger`: the messages; `judge`: whether the right ones came; `figures`: the result

mod figures;
mod judge;
mod ledger;
mod member;
mod plan;
mod publisher;
mod run;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use parking_lot::Mutex;
use tokio::{
    process::Command,
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub use self::{
    figures::Figures,
    judge::{APART, Absences, Verdict},
    plan::{Bounds, Plan},
};
use self::{ledger::Ledger, member::Member, publisher::Publisher, run::Run};
use crate::{api::Api, client::Target, clock::Moment, connect, position::Position};

/// The time before the command and after it in which all goes on.
const CALM: Duration = Duration::from_secs(2);

/// The time between two looks whether all is complete.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Starts clients and publishers, runs the command, and judges.
///
/// # Errors
/// The clients do not connect, or the command fails. Other faults are in the figures.
pub async fn run(plan: &Plan) -> anyhow::Result<Figures> {
    let name = plan.target.channel().context("--url: want the path of a relay channel, /ws/CHANNEL")?;
    let targets: Vec<Target> = (0..plan.channels).map(|number| plan.target.numbered(number)).collect();
    let run =
        Arc::new(Mutex::new(Run { ledger: Ledger::new(plan.clients, plan.channels), ..Run::default() }));
    let api = |target: &Target| Api::new(target.clone(), plan.key.clone(), publisher::ANSWER_TIMEOUT);
    let mut tops = Vec::new();
    if plan.history {
        for (channel, target) in targets.iter().enumerate() {
            tops.push(api(target).top(&format!("{name}-{channel}")).await?);
        }
    }
    let _members = members(plan, &targets, &tops, &run).await?;
    let _watch = AbortOnDropHandle::new(tokio::spawn(watch(run.clone())));
    let (stop, mut publishing) = (CancellationToken::new(), JoinSet::new());
    let every = Duration::from_secs_f64(plan.channels as f64 / plan.rate);
    let began = Instant::now();
    for (channel, target) in targets.into_iter().enumerate() {
        let publisher = Publisher {
            run: run.clone(),
            api: api(&target),
            name: format!("{name}-{channel}"),
            channel,
            every,
            after: every.mul_f64(channel as f64 / plan.channels as f64),
            stop: stop.clone(),
        };
        publishing.spawn(publisher.publish());
    }
    sleep(CALM).await;
    restart(&plan.command).await?;
    until(plan.patience, || run.lock().ledger.connected() == plan.clients).await;
    sleep(CALM).await;
    stop.cancel();
    publishing.join_all().await;
    let lasted = began.elapsed();
    until(plan.patience, || run.lock().ledger.is_complete()).await;
    // The time for second copies to come.
    sleep(CALM / 4).await;
    Ok(Figures::new(plan, lasted, &run.lock()))
}

/// The clients, connected. `tops` are the positions of the channels; none without history.
async fn members(
    plan: &Plan,
    targets: &[Target],
    tops: &[Position],
    run: &Arc<Mutex<Run>>,
) -> anyhow::Result<JoinSet<()>> {
    let all: Vec<&Target> = targets.iter().cycle().take(plan.clients).collect();
    let connections = connect::all(all.iter().copied()).await?;
    let mut members = JoinSet::new();
    for (number, (connection, target)) in connections.into_iter().zip(all).enumerate() {
        run.lock().opened(number, connection.cookie(), Moment::now());
        let position = tops.get(number % targets.len()).cloned();
        let member = Member { run: run.clone(), number, target: target.clone(), position };
        members.spawn(member.stay(connection));
    }
    Ok(members)
}

async fn restart(command: &[String]) -> anyhow::Result<()> {
    let (program, words) = command.split_first().context("no command")?;
    let status = Command::new(program).args(words).kill_on_drop(true).status().await;
    let status = status.with_context(|| program.clone())?;
    ensure!(status.success(), "{program}: {status}");
    Ok(())
}

/// Notes the delay of a timer, for ever.
async fn watch(run: Arc<Mutex<Run>>) {
    loop {
        let due = Instant::now() + LOOK_EVERY;
        tokio::time::sleep_until(due).await;
        let mut run = run.lock();
        run.late = run.late.max(due.elapsed());
    }
}

async fn until(patience: Duration, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() && since.elapsed() < patience {
        sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
