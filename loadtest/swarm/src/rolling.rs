//! What clients and publishers notice of a rolling restart, or of anything else that is done to a cluster meanwhile.

mod figures;
mod judge;
mod ledger;
mod member;
mod publisher;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

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
};
use self::{ledger::Ledger, member::Member, publisher::Publisher};
use crate::{
    client::{Ended, Target},
    clock::Moment,
    crowd,
    latency::Latencies,
};

/// Before the command, and after it: so long all goes on.
const CALM: Duration = Duration::from_secs(2);

/// How often it is looked whether all is complete.
const GLANCE: Duration = Duration::from_millis(50);

/// IANA's registry of close codes: the service restarts.
const RESTART: u16 = 1012;

/// What is to be watched.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The balancer. The channels are numbered ones beside its own.
    pub target: Target,
    /// Clients that come back.
    pub clients: usize,
    /// Channels that they go round.
    pub channels: usize,
    /// Messages a second to all channels together.
    pub rate: f64,
    /// The key for the HTTP API, where that wants one.
    pub key: Option<String>,
    /// What restarts the nodes: a program and its words.
    pub command: Vec<String>,
    /// How long clients are waited for that are not back, and messages that did not come.
    pub patience: Duration,
    /// What the times have to be.
    pub bounds: Bounds,
}

/// What the times have to be, where they are judged at all: a machine that has other work too keeps none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// The pace of the drain, in clients a second: reconnects never come twice as fast.
    pub pace: Option<u32>,
    /// The longest that a client may be away.
    pub away: Option<Duration>,
}

/// What clients and publishers note.
#[derive(Debug, Default)]
struct Run {
    ledger: Ledger,
    /// From when a publish was handed over until it was taken.
    answers: Latencies,
    /// Publishes that were not taken, by what came instead.
    not_taken: BTreeMap<String, u64>,
    /// Ends of connections other than by [`RESTART`], by what was said.
    other_ends: BTreeMap<String, u64>,
    /// When clients tried to come back.
    reconnects: Vec<Moment>,
    /// How late a timer of this program was at most.
    late: Duration,
    /// Tries that failed, by kind.
    turned_away: BTreeMap<String, u64>,
}

/// Holds the load on, runs the command, and judges.
///
/// # Errors
/// The clients do not connect, or the command fails. What else goes wrong is in the figures.
pub async fn run(plan: &Plan) -> anyhow::Result<Figures> {
    let name = plan.target.channel().context("--url: want the path of a relay channel, /ws/CHANNEL")?;
    let targets: Vec<Target> = (0..plan.channels).map(|number| plan.target.numbered(number)).collect();
    let run =
        Arc::new(Mutex::new(Run { ledger: Ledger::new(plan.clients, plan.channels), ..Run::default() }));
    let _members = members(plan, &targets, &run).await?;
    let _watch = AbortOnDropHandle::new(tokio::spawn(watch(run.clone())));
    let (stop, mut publishing) = (CancellationToken::new(), JoinSet::new());
    let every = Duration::from_secs_f64(plan.channels as f64 / plan.rate);
    let began = Instant::now();
    for (channel, target) in targets.into_iter().enumerate() {
        let publisher = Publisher {
            run: run.clone(),
            target,
            name: format!("{name}-{channel}"),
            key: plan.key.clone(),
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
    // A second copy of a message is given the time to show up.
    sleep(CALM / 4).await;
    Ok(Figures::new(plan, lasted, &run.lock()))
}

/// Everybody, connected.
async fn members(plan: &Plan, targets: &[Target], run: &Arc<Mutex<Run>>) -> anyhow::Result<JoinSet<()>> {
    let all: Vec<&Target> = targets.iter().cycle().take(plan.clients).collect();
    let connections = crowd::open(all.iter().copied()).await?;
    let mut members = JoinSet::new();
    for (number, (connection, target)) in connections.into_iter().zip(all).enumerate() {
        run.lock().opened(number, connection.cookie(), Moment::now());
        let member = Member { run: run.clone(), number, target: target.clone() };
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

/// Notes how late a timer is, for ever.
async fn watch(run: Arc<Mutex<Run>>) {
    loop {
        let due = Instant::now() + GLANCE;
        tokio::time::sleep_until(due).await;
        let mut run = run.lock();
        run.late = run.late.max(due.elapsed());
    }
}

async fn until(patience: Duration, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() && since.elapsed() < patience {
        sleep(GLANCE).await;
    }
}

impl Run {
    /// Notes that a client is connected, since now; its cookie says to which node.
    fn opened(&mut self, client: usize, cookie: Option<&str>, began: Moment) {
        let node = cookie.and_then(|cookie| cookie.split_once('=')).map_or("", |(_, node)| node);
        self.ledger.opened(client, node, began, Moment::now());
    }

    fn ended(&mut self, client: usize, at: Moment, how: &Ended) {
        self.ledger.ended(client, at);
        if !how.is_closed_with(RESTART) {
            *self.other_ends.entry(how.to_string()).or_default() += 1;
        }
    }

    fn not_taken(&mut self, why: String) {
        *self.not_taken.entry(why).or_default() += 1;
    }

    fn turned_away(&mut self, why: String) {
        *self.turned_away.entry(why).or_default() += 1;
    }
}

#[cfg(test)]
mod tests;
