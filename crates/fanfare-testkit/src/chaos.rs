//! A cluster with history under faults that a seed decides, and the checker of `swarm verify --history`, which judges.
//!
//! - [`plan`](mod@plan): the faults of a seed, with their times
//! - [`stage`]: three nodes behind HAProxy, `servers` of Redis, and a proxy on each way from a node to a server
//! - `replicated`: servers with replicas, among them a `cluster`; `slots`: the slots of it
//! - `faults`: the effect of each fault on the stage; `failovers`: the effect of those that change the master
//! - `sdk`: clients of an SDK among the checker's own; `plain`: and clients of plain HTTP
//!
//! Invariant: a fault undoes itself. So all is well once all faults of a plan are over.

mod cluster;
mod failovers;
mod faults;
mod plain;
pub mod plan;
mod replicated;
mod sdk;
mod servers;
mod slots;
pub mod stage;

use std::{path::PathBuf, sync::Arc, time::Duration};

use fanfare_swarm::{
    client::Target,
    verify::history::{Check, Plan as Load, Summary},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use self::{
    plain::Plain,
    plan::{Kind, Plan, Topology},
    sdk::Sdk,
    stage::Stage,
};
use crate::endpoint::KEY;

/// The time before the first fault.
const CALM: Duration = Duration::from_secs(1);

/// The time after the last fault in which a missing message, or a missing answer, may still come. A node repeats a
/// publish for a minute.
const PATIENCE: Duration = Duration::from_secs(70);

/// The channels are numbered ones beside this. With three servers each has some of them.
const CHANNEL: &str = "chat:chaos";
const CHANNELS: usize = 6;

/// The settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The seed.
    pub seed: u64,
    /// The time in which faults begin and end.
    pub lasts: Duration,
    /// The Redis.
    pub redis: Topology,
    /// The kinds of faults.
    pub kinds: Vec<Kind>,
    /// Clients that listen.
    pub subscribers: usize,
    /// Clients of npm's `centrifuge`, which listen too. A third of them publishes.
    pub sdk: usize,
    /// Clients of plain HTTP, which listen too: a third of them each by events, lines and polls. A third publishes.
    pub plain: usize,
    /// Messages a second.
    pub rate: f64,
    /// The folder for the logs of the processes, in a folder of the run's name, if the run goes wrong.
    pub logs: Option<PathBuf>,
}

impl Settings {
    /// A name for it: the Redis if it is not one server, the kind of its faults if there is only one, and the seed.
    #[must_use]
    pub fn name(&self) -> String {
        let kinds = match self.kinds.as_slice() {
            [kind] => kind.name(),
            _ => "seed",
        };
        match self.redis {
            Topology::One => format!("{kinds} {}", self.seed),
            redis => format!("{} {kinds} {}", redis.name(), self.seed),
        }
    }

    /// One line for its result: fields between bars, for a table.
    #[must_use]
    pub fn line(&self, summary: &Summary) -> String {
        format!("CHAOS {} | {} | wrong {}", self.name(), summary.fields(), u8::from(!summary.is_right()))
    }
}

/// Runs the faults of a seed, and judges. The plan, and the faults as they begin, go to the standard error.
///
/// # Panics
/// If a process does not start, or the checker cannot start or end.
pub async fn run(settings: &Settings) -> Summary {
    let plan = Plan::new(settings.seed, settings.lasts, settings.redis, &settings.kinds);
    eprintln!("{plan}");
    let stage = Arc::new(Stage::start(settings.redis).await);
    let check = match Check::start(&load(settings, &plan, &stage).await).await {
        Ok(check) => Arc::new(check),
        Err(error) => panic!("the checker cannot start: {error:#}"),
    };
    let mut sdk = match settings.sdk {
        0 => None,
        clients => Some(Sdk::start(stage.balancer.endpoint(), clients, clients / 3, check.guests()).await),
    };
    let behind = check.guests().behind(settings.sdk, settings.sdk / 3);
    let mut plain = Plain::start(stage.balancer.endpoint(), settings.plain, settings.plain / 3, &behind);
    let began = Instant::now() + CALM;
    let mut faults = JoinSet::new();
    for step in plan.steps {
        let (stage, check) = (stage.clone(), check.clone());
        faults.spawn(async move {
            sleep_until(began + step.at).await;
            eprintln!("{:6.2} s  {step}", began.elapsed().as_secs_f64());
            stage.suffer(&step.fault, &check).await;
        });
    }
    sleep_until(began + settings.lasts).await;
    while let Some(ended) = faults.join_next().await {
        if let Err(error) = ended {
            panic!("a fault failed: {error}");
        }
    }
    stage.is_well().await;
    if let Some(sdk) = &mut sdk {
        sdk.stop().await;
    }
    plain.stop().await;
    let summary = match Arc::into_inner(check).map(Check::finish) {
        Some(finished) => finished.await,
        None => panic!("a fault is still under way"),
    };
    let mut summary = match summary {
        Ok(summary) => summary,
        Err(error) => panic!("the checker cannot judge: {error:#}"),
    };
    if settings.kinds == [Kind::MoveSlots] && summary.verdict.forgotten > 0 {
        summary.wrong.push("slots that moved have lost messages".to_owned());
    }
    eprintln!("nodes since their last start: {}", stage.counts().await);
    if let Some(folder) = settings.logs.as_ref().filter(|_| !summary.is_right()) {
        stage.write_logs(&folder.join(settings.name().replace(' ', "-"))).await;
    }
    summary
}

async fn load(settings: &Settings, plan: &Plan, stage: &Stage) -> Load {
    let url = stage.balancer.endpoint().ws(&format!("/ws/{CHANNEL}"));
    let target = match Target::parse(&url, "/") {
        Ok(target) => target,
        Err(error) => panic!("{url}: {error:#}"),
    };
    let wiped = plan.wiped();
    let mut keeping = Vec::new();
    for number in 0..CHANNELS {
        if !wiped.contains(&stage.server_of(&format!("{CHANNEL}-{number}")).await) {
            keeping.push(number);
        }
    }
    Load {
        targets: vec![target],
        run: u32::try_from(settings.seed).unwrap_or(u32::MAX),
        key: Some(KEY.to_owned()),
        channels: CHANNELS,
        subscribers: settings.subscribers,
        publishers: 12,
        guests: settings.sdk + settings.plain,
        guest_publishers: settings.sdk / 3 + settings.plain / 3,
        rate: settings.rate,
        lasts: settings.lasts,
        drop_every: None,
        patience: PATIENCE,
        may_forget: !wiped.is_empty(),
        keeping,
        fails_over: plan.fails_over(settings.redis),
    }
}
