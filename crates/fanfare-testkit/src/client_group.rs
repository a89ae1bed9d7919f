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

use std::{ops::Range, sync::Arc, time::Duration};

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

/// After the last fault: so long everybody goes on, and nothing excuses a loss.
const CALM: Duration = Duration::from_secs(1);

/// Once publishing stopped: without a message for so long, none is under way any more.
const QUIET: Duration = Duration::from_secs(2);

/// Clients, spread evenly over nodes and channels.
const CLIENTS: usize = 200;
const CHANNELS: usize = 8;
/// How often each publishes, more or less.
const EVERY: Duration = Duration::from_secs(1);

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
        Self::start_at(name, nodes, nodes.to_vec()).await
    }

    /// The same through one entrance, of which no interruption is expected: a balancer's.
    pub async fn start_behind(name: &'static str, balancer: Endpoint) -> Self {
        Self::start_at(name, &[balancer], Vec::new()).await
    }

    /// `watched` are the nodes whose interruptions count, in the order of the entrances.
    async fn start_at(name: &'static str, entrances: &[Endpoint], watched: Vec<Endpoint>) -> Self {
        let began = Instant::now();
        let record = Arc::new(Mutex::new(Record::default()));
        let (hush, end) = (CancellationToken::new(), CancellationToken::new());
        let mut members = JoinSet::new();
        for number in 0..CLIENTS {
            // Neighbours are on different nodes of one channel.
            let channel = (number / entrances.len()) % CHANNELS;
            let member = Member {
                number,
                channel,
                entrances: entrances.iter().map(|node| target(*node, channel)).collect(),
                home: number % entrances.len(),
                every: EVERY,
                began,
                record: record.clone(),
                hush: hush.clone(),
                end: end.clone(),
            };
            members.spawn(member.run());
        }
        let watch = Watch::start(watched, began);
        let (faults, back) = (Vec::new(), Vec::new());
        let chorus = Self { name, began, record, watch, faults, fault: None, back, hush, end, members };
        assert_eventually!(
            chorus.record.lock().connected() == CLIENTS,
            "{} of {CLIENTS} clients are connected",
            chorus.record.lock().connected()
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

    /// Goes on for a while, stops publishing, waits for what is under way, ends the clients, and judges.
    pub async fn finish(self) -> Verdict {
        sleep(CALM).await;
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
}

fn target(node: Endpoint, channel: usize) -> Target {
    match Target::parse(&node.ws(&format!("/ws/chorus-{channel}")), "/") {
        Ok(target) => target,
        Err(error) => panic!("no place to connect to: {error}"),
    }
}
