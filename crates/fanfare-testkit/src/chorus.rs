//! Many clients that publish numbered messages without end while something fails, and the judgement of what came
//! of it.
//!
//! - [`record`]: what each session sent and heard, and how it ended
//! - `member`: one client, that comes back when it is closed
//! - [`interruptions`]: when the nodes themselves say that they heard nothing
//! - [`judge`]: record in, verdict out: no clock, no socket
//!
//! The relay has no acknowledgements. A message's fate is known from three things only: who heard it, how its sender's
//! session ended, and the interruptions that nodes count.

pub mod interruptions;
pub mod judge;
mod member;
pub mod record;

use std::{collections::BTreeSet, ops::Range, sync::Arc, time::Duration};

use fanfare_swarm::client::Target;
use parking_lot::Mutex;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use self::{
    interruptions::Watch,
    judge::{Evidence, Verdict},
    member::Member,
    record::{Record, Time},
};
use crate::{Endpoint, assert_eventually};

/// Once publishing stopped: without a message for so long, none is under way any more.
const QUIET: Duration = Duration::from_secs(2);

/// Who takes part.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Clients, spread evenly over nodes and channels.
    pub clients: usize,
    /// Channels.
    pub channels: usize,
    /// How often each client publishes, more or less.
    pub every: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self { clients: 200, channels: 8, every: Duration::from_secs(1) }
    }
}

/// The clients at work.
#[derive(Debug)]
pub struct Chorus {
    name: &'static str,
    began: Instant,
    record: Arc<Mutex<Record>>,
    watch: Watch,
    faults: Vec<Range<Time>>,
    /// When the fault that is on began.
    fault: Option<Time>,
    back: Vec<Back>,
    /// Stops publishing.
    hush: CancellationToken,
    /// Ends the sessions.
    end: CancellationToken,
    members: JoinSet<()>,
}

/// How long after a fault was over things were as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Back {
    /// Until a first message that was sent after it was heard.
    pub first: Duration,
    /// Until every client was connected and heard somebody of every node.
    pub all: Duration,
}

impl Chorus {
    /// Starts it on nodes that are ready, and returns once everybody hears everybody.
    pub async fn start(name: &'static str, nodes: &[Endpoint]) -> Self {
        Self::start_with(name, nodes, nodes, Plan::default()).await
    }

    /// The same with a plan. `entrances` is where clients connect; `nodes` whose interruptions are watched. Where they
    /// are the same nodes, they come in the same order.
    ///
    /// # Panics
    /// Where there are no entrances.
    pub async fn start_with(
        name: &'static str,
        entrances: &[Endpoint],
        nodes: &[Endpoint],
        plan: Plan,
    ) -> Self {
        assert!(!entrances.is_empty(), "clients need somewhere to connect");
        let began = Instant::now();
        let record = Arc::new(Mutex::new(Record::default()));
        let (hush, end) = (CancellationToken::new(), CancellationToken::new());
        let mut members = JoinSet::new();
        for number in 0..plan.clients {
            // Neighbours are on different nodes of one channel.
            let channel = (number / entrances.len()) % plan.channels;
            let member = Member {
                number,
                channel,
                entrances: entrances.iter().map(|node| target(*node, channel)).collect(),
                home: number % entrances.len(),
                every: plan.every,
                began,
                record: record.clone(),
                hush: hush.clone(),
                end: end.clone(),
            };
            members.spawn(member.run());
        }
        let watch = Watch::start(nodes.to_vec(), began);
        let (faults, back) = (Vec::new(), Vec::new());
        let chorus = Self { name, began, record, watch, faults, fault: None, back, hush, end, members };
        assert_eventually!(
            chorus.record.lock().connected() == plan.clients,
            "{} of {} clients are connected",
            chorus.record.lock().connected(),
            plan.clients
        );
        chorus.flows_from(chorus.now()).await;
        chorus
    }

    /// A fault begins now. Call it before the fault is made.
    pub fn fault_begins(&mut self) {
        self.fault = Some(self.now());
    }

    /// The fault is over since a moment; returns once everybody hears everybody again.
    ///
    /// # Panics
    /// Where it never comes to that, or no fault began.
    pub async fn fault_ended(&mut self) -> Back {
        let Some(begun) = self.fault.take() else { panic!("no fault began") };
        let mended = self.now();
        self.flows_from(mended).await;
        let now = self.now();
        let first = self.record.lock().first_heard_of(mended).unwrap_or(now);
        let back = Back { first: first.saturating_sub(mended), all: now - mended };
        self.faults.push(begun..now);
        self.back.push(back);
        back
    }

    /// Time goes by, with everybody publishing.
    pub async fn sings_for(&self, time: Duration) {
        sleep(time).await;
    }

    /// Stops publishing, waits for what is under way, ends the clients, and judges.
    pub async fn finish(self) -> Verdict {
        self.hush.cancel();
        let (mut heard, mut since) = (0, Instant::now());
        while since.elapsed() < QUIET {
            sleep(QUIET / 20).await;
            let now = self.record.lock().heard();
            if now != heard {
                (heard, since) = (now, Instant::now());
            }
        }
        self.end.cancel();
        self.members.join_all().await;
        let interruptions = self.watch.finish().await;
        let record = std::mem::take(&mut *self.record.lock());
        let evidence = Evidence { record: &record, faults: &self.faults, interruptions: &interruptions };
        let verdict = judge::judge(self.name, &evidence, &self.back);
        eprintln!("{verdict}");
        verdict
    }

    /// Since this chorus began.
    #[must_use]
    pub fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// Whether every client is connected and heard, on the connection it has now, what was sent since `from` by
    /// somebody of every node.
    async fn flows_from(&self, from: Time) {
        let missing = || self.record.lock().silent_since(from);
        assert_eventually!(
            missing().is_empty(),
            "{}: everybody hears everybody; not so: {:?}",
            self.name,
            missing()
        );
    }

    /// How many sessions ended of clients of that entrance.
    #[must_use]
    pub fn ended_at(&self, entrance: usize) -> usize {
        self.record.lock().ended_at(entrance)
    }

    /// The entrances that clients are connected to now.
    #[must_use]
    pub fn entrances(&self) -> BTreeSet<usize> {
        self.record.lock().entrances()
    }
}

fn target(node: Endpoint, channel: usize) -> Target {
    match Target::parse(&node.ws(&format!("/ws/chorus-{channel}")), "/") {
        Ok(target) => target,
        Err(error) => panic!("no place to connect to: {error}"),
    }
}
