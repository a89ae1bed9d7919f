//! Fan-out to one channel in a closed loop: CPU per delivery and latency.

mod progress;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::bail;
use fanfare_websocket::MessageKind;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use self::progress::Progress;
use crate::{
    client::{Connection, Ended, Sender, Target},
    connect, floor,
    latency::Latency,
    number::figure,
    process::{Cpu, CpuPer},
    table::Table,
};

/// The longest time for a message to reach all subscribers. After it the message is lost.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// The plan of a fan-out.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's process. `None`: its CPU is not measured.
    pub pid: Option<u32>,
    /// Subscribers, the publisher among them.
    pub subscribers: usize,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// Messages before the measurement.
    pub warm_up: u64,
    /// The measurement.
    pub load: Load,
}

/// The messages of a run.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Messages in flight.
    pub in_flight: usize,
    /// The end.
    pub until: Until,
    /// Messages a second. `None`: as many as `in_flight` allows.
    pub pace: Option<u32>,
}

/// The end of a load.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After this number of messages.
    Messages(u64),
    /// After this time.
    Time(Duration),
}

/// The result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// Subscribers, the publisher among them.
    pub subscribers: usize,
    /// Payload of a message in bytes.
    pub bytes: usize,
    /// Messages in flight.
    pub in_flight: usize,
    /// Messages that were measured.
    pub messages: u64,
    /// Messages times subscribers.
    pub deliveries: u64,
    /// The time of the measurement.
    pub seconds: f64,
    /// The server's CPU per delivery, in microseconds.
    pub cpu: CpuPer,
    /// The load generator's own CPU per delivery, in microseconds.
    pub swarm_cpu: CpuPer,
    /// From publish to each receipt, in microseconds.
    pub latency: Latency,
}

/// Connects, warms up and measures.
///
/// # Errors
/// A connection fails or ends, a message is lost, or another client publishes on the channel.
pub async fn run(target: &Target, plan: &Plan) -> anyhow::Result<Figures> {
    let connections = connect::members(target, plan.subscribers).await?;
    let mut loop_ = ClosedLoop::start(connections, plan.bytes)?;
    loop_.run(plan.pid, Load { until: Until::Messages(plan.warm_up), ..plan.load }).await?;
    loop_.run(plan.pid, plan.load).await
}

/// Subscribers. The first of them publishes.
#[derive(Debug)]
pub struct ClosedLoop {
    publisher: Sender,
    payload: Vec<u8>,
    subscribers: usize,
    progress: Arc<Progress>,
    tasks: JoinSet<Ended>,
}

impl ClosedLoop {
    /// Starts to read on all connections, and sends nothing yet.
    ///
    /// # Errors
    /// `connections` is empty.
    pub fn start(connections: Vec<Connection>, bytes: usize) -> anyhow::Result<Self> {
        Self::with_payload(connections, floor::payload(bytes))
    }

    /// As [`start`](Self::start), with this payload for each message.
    ///
    /// # Errors
    /// `connections` is empty.
    pub fn with_payload(connections: Vec<Connection>, payload: Vec<u8>) -> anyhow::Result<Self> {
        let Some(first) = connections.first() else { bail!("a fan-out needs a subscriber") };
        let (publisher, subscribers) = (first.sender(), connections.len());
        let progress = Arc::new(Progress::new());
        let mut tasks = JoinSet::new();
        for connection in connections {
            let (progress, mut received) = (progress.clone(), 0);
            tasks.spawn(connection.count(move || {
                progress.arrived(received);
                received += 1;
            }));
        }
        Ok(Self { publisher, payload, subscribers, progress, tasks })
    }

    /// Sends a load, waits until all of it is delivered, and measures the CPU of `pid`.
    ///
    /// # Errors
    /// As for [`run`].
    pub async fn run(&mut self, pid: impl Into<Option<u32>>, load: Load) -> anyhow::Result<Figures> {
        let (own, pid) = (std::process::id(), pid.into());
        self.progress.forget_latencies();
        let (before, own_before, start) = (Cpu::of_all(pid.as_slice())?, Cpu::of(own)?, Instant::now());
        let mut messages = 0;
        while load.until.goes_on(messages, start) {
            self.in_flight_below(load.in_flight).await?;
            if let Some(pace) = load.pace {
                // By the clock, not by the last message: a late message does not delay the next.
                let due = start + Duration::from_secs_f64(messages as f64 / f64::from(pace.max(1)));
                tokio::time::sleep_until(due.into()).await;
            }
            self.progress.sent(self.subscribers);
            self.publisher.message(MessageKind::Text, &self.payload);
            messages += 1;
        }
        self.in_flight_below(1).await?;
        let (seconds, deliveries) = (start.elapsed().as_secs_f64(), messages * self.subscribers as u64);
        Ok(Figures {
            subscribers: self.subscribers,
            bytes: self.payload.len(),
            in_flight: load.in_flight,
            messages,
            deliveries,
            seconds,
            cpu: (Cpu::of_all(pid.as_slice())? - before).per(deliveries),
            swarm_cpu: (Cpu::of(own)? - own_before).per(deliveries),
            latency: self.progress.latency(),
        })
    }

    async fn in_flight_below(&mut self, limit: usize) -> anyhow::Result<()> {
        while self.progress.in_flight() >= limit {
            tokio::select! {
                () = self.progress.completed() => {}
                Some(ended) = self.tasks.join_next() => bail!("a subscriber ended: {}", ended?),
                () = tokio::time::sleep(DELIVERY_TIMEOUT) => bail!("{}", self.progress.missing()),
            }
        }
        if self.progress.has_strays() {
            bail!(
                "a message came that this program did not send: another client publishes on the channel, or a message came twice"
            );
        }
        Ok(())
    }
}

impl Until {
    fn goes_on(self, messages: u64, start: Instant) -> bool {
        match self {
            Self::Messages(limit) => messages < limit,
            Self::Time(limit) => start.elapsed() < limit,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscribers, bytes, in_flight, messages, seconds, latency, .. } = self;
        writeln!(
            out,
            "{messages} messages of {bytes} B to {subscribers} subscribers, {in_flight} in flight:"
        )?;
        let mut table = Table::new(["CPU per delivery", "total", "user", "system"]);
        for (name, cpu) in [("server", self.cpu), ("load generator", self.swarm_cpu)] {
            let us = |value| figure(value, 3, "µs");
            table.row([name.to_owned(), us(cpu.total), us(cpu.user), us(cpu.system)]);
        }
        write!(out, "{table}")?;
        let rate = self.deliveries as f64 / seconds;
        writeln!(
            out,
            "  {rate:.0} deliveries/s over {seconds:.1} s, as fast as server and load generator allow"
        )?;
        writeln!(out, "  latency: {latency}")
    }
}
