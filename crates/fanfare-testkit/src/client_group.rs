//! Many clients that publish numbered messages while a part fails, and a judge of the messages that came.
//!
//! - [`record`]: the messages that each session sent and got, and how it ended
//! - `member`: a client, which reconnects when its connection ends
//! - [`interruptions`]: the interruptions that the nodes themselves count
//! - [`judge`]: [evidence](evidence::Evidence) in, [verdict](verdict::Verdict) out; no clock, no socket
//!
//! The relay has no acknowledgements. Only three things tell the fate of a message: the clients that got it, the end of its
//! sender's session, and the interruptions that nodes count.

pub mod evidence;
pub mod interruptions;
pub mod judge;
mod member;
pub mod record;
pub mod verdict;

use std::{ops::Range, sync::Arc, time::Duration};

use fanfare_swarm::client::Target;
use parking_lot::Mutex;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use self::{
    evidence::Evidence,
    interruptions::Watch,
    member::Member,
    record::{Back, Record, Time},
    verdict::Verdict,
};
use crate::{assert_eventually, endpoint::Endpoint};

/// The time after the last fault in which clients still publish, and nothing excuses a loss.
const CALM: Duration = Duration::from_secs(1);

/// After the end of publishing: the time without a message after which none is on its way any more.
const QUIET: Duration = Duration::from_secs(2);

/// Clients, spread evenly over nodes and channels.
const CLIENTS: usize = 200;
const CHANNELS: usize = 8;
/// The average time between two messages of a client.
const EVERY: Duration = Duration::from_secs(1);

/// The clients.
#[derive(Debug)]
pub struct ClientGroup {
    name: &'static str,
    began: Instant,
    record: Arc<Mutex<Record>>,
    watch: Watch,
    faults: Vec<Range<Time>>,
    /// The beginning of the current fault.
    fault: Option<Time>,
    back: Vec<Back>,
    stop_publishing: CancellationToken,
    /// Ends the sessions.
    end: CancellationToken,
    members: JoinSet<()>,
}

impl ClientGroup {
    /// Starts the clients on nodes that are ready. Returns once each client has messages from each node.
    pub async fn start(name: &'static str, nodes: &[Endpoint]) -> Self {
        Self::start_at(name, nodes, nodes.to_vec(), &channels("group-")).await
    }

    /// As [`start`](Self::start), in these channels.
    ///
    /// # Panics
    /// If `channels` is empty.
    pub async fn start_in(name: &'static str, nodes: &[Endpoint], channels: &[String]) -> Self {
        Self::start_at(name, nodes, nodes.to_vec(), channels).await
    }

    /// As [`start`](Self::start), through one entrance, a balancer's. Interruptions are not watched.
    pub async fn start_behind(name: &'static str, balancer: Endpoint) -> Self {
        Self::start_at(name, &[balancer], Vec::new(), &channels("group-")).await
    }

    /// `watched` are the nodes whose interruptions count, in the order of the entrances.
    async fn start_at(
        name: &'static str,
        entrances: &[Endpoint],
        watched: Vec<Endpoint>,
        channels: &[String],
    ) -> Self {
        let began = Instant::now();
        let record = Arc::new(Mutex::new(Record::default()));
        let (stop_publishing, end) = (CancellationToken::new(), CancellationToken::new());
        let mut members = JoinSet::new();
        for number in 0..CLIENTS {
            // Neighbours are on different nodes of one channel.
            let channel = (number / entrances.len()) % channels.len();
            let Some(path) = channels.get(channel) else { panic!("channels are missing") };
            let member = Member {
                number,
                channel,
                entrances: entrances.iter().map(|node| target(*node, path)).collect(),
                home: number % entrances.len(),
                every: EVERY,
                began,
                record: record.clone(),
                stop_publishing: stop_publishing.clone(),
                end: end.clone(),
            };
            members.spawn(member.run());
        }
        let watch = Watch::start(watched, began);
        let (faults, back) = (Vec::new(), Vec::new());
        let group =
            Self { name, began, record, watch, faults, fault: None, back, stop_publishing, end, members };
        assert_eventually!(
            group.record.lock().connected() == CLIENTS,
            "{} of {CLIENTS} clients are connected",
            group.record.lock().connected()
        );
        group.flows_from(group.now()).await;
        group
    }

    /// Notes that a fault begins. Call it before the fault.
    pub fn fault_begins(&mut self) {
        self.fault = Some(self.now());
    }

    /// Notes that the fault is over. Returns once each client has messages from each node again.
    ///
    /// # Panics
    /// If that never happens, or no fault began.
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

    /// Lets the clients publish for this time.
    pub async fn publishes_for(&self, time: Duration) {
        sleep(time).await;
    }

    /// Continues for a while, stops publishing, waits for messages on their way, ends the clients, and judges.
    pub async fn finish(self) -> Verdict {
        sleep(CALM).await;
        self.stop_publishing.cancel();
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

    /// Repeats a fault while the clients publish, and judges: nobody may notice it.
    pub async fn notices_nothing_of(mut self, mut fault: impl AsyncFnMut()) {
        for _ in 0..3 {
            self.fault_begins();
            fault().await;
            self.publishes_for(Duration::from_millis(500)).await;
            self.fault_ended().await;
        }
        let verdict = self.finish().await;
        verdict.is_right();
        verdict.ended_only(|_, _| false);
        assert!(verdict.rejected.is_empty(), "{:?}", verdict.rejected);
    }

    /// The time since the group started.
    #[must_use]
    pub fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// Waits until every client is connected, and its connection has messages of each node, sent at `from` or later.
    async fn flows_from(&self, from: Time) {
        let missing = || self.record.lock().silent_since(from);
        assert_eventually!(
            missing().is_empty(),
            "{}: every client has messages of each node; these have not: {:?}",
            self.name,
            missing()
        );
    }
}

/// Channels whose names begin so.
fn channels(prefix: &str) -> Vec<String> {
    (0..CHANNELS).map(|number| format!("{prefix}{number}")).collect()
}

fn target(node: Endpoint, channel: &str) -> Target {
    match Target::parse(&node.ws(&format!("/ws/{channel}")), "/") {
        Ok(target) => target,
        Err(error) => panic!("cannot connect: {error}"),
    }
}
