//! The command line.

mod open;
mod restart;
mod shared;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

pub use self::{
    open::{IdleArgs, RoomsArgs, StormArgs},
    restart::{DrainArgs, RollingArgs},
    shared::{MannerArgs, NodeArgs, OriginArgs, OutputArgs, own_path},
};
use crate::{client::Target, fanout, floor::FloorArgs, report::ReportArgs, slow, suite::SuiteArgs, verify};

/// Load for WebSocket relays, and a check that nothing was lost.
///
/// CPU is the server process's own, from its CPU clock, divided by deliveries: the load generator shares the
/// machine with it, so wall time and messages a second say little. Memory is /proc/PID/smaps_rollup, what the
/// kernel holds for sockets not included.
#[derive(Debug, Clone, Parser)]
#[command(name = "swarm", version, arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// First figures of a server that it starts itself, each beside its floor
    ///
    /// Starts `fanfare serve --dev` with the memory broker and measures: (1) its memory per idle connection;
    /// (2) on a fresh one, its CPU per delivery, one message in flight, in turns with the floor: a process with one
    /// thread that does nothing but send the same bytes to as many sockets. The same client reads both. The ratio
    /// is the median of the rounds' ratios.
    Bench(BenchArgs),
    /// All that docs/performance.md tells, each figure beside its floor and its budget
    ///
    /// Starts each server it needs, and a Redis. Named cases are measured alone. A figure over its budget is said to
    /// be so, and is no failure: what machine this is nobody knows beforehand.
    Suite(SuiteArgs),
    /// Figures and tables of docs/performance.md from what `suite` wrote
    Report(ReportArgs),
    /// CPU per delivery and latency of one channel, closed loop; with --rate, open loop
    ///
    /// All subscribers are in one channel; the first of them publishes. A message is complete when every subscriber
    /// has it, the publisher too; only then the next one is sent (--in-flight: so many at once). Latency is the time
    /// from handing a message to the publisher's connection until a subscriber has read it, one value a delivery.
    ///
    /// With --rate, messages are due at fixed moments instead, and all is as with `swarm rooms`, of one channel.
    Fanout(FanoutArgs),
    /// Many channels at a steady rate, open loop: CPU per delivery and per publish, latency, losses
    ///
    /// Every message is due at a moment that was fixed before the run, and its latency counts from then until a member
    /// has read it: what the server or this program makes wait is not left out. Channels are CHANNEL-0, CHANNEL-1 and
    /// so on, one alone is CHANNEL. Members of each channel, and its publishers, go round the nodes. Every message has its sender's number, so that what is lost, doubled or out of
    /// order is counted.
    Rooms(RoomsArgs),
    /// Many upgrades at once: time until all are connected, failures, CPU and memory per connection
    Storm(StormArgs),
    /// Memory per idle connection, and CPU for heartbeats
    ///
    /// Reads the process's memory, opens the connections, lets them rest (so that the allocator has returned what
    /// the handshakes needed), reads again, and divides the difference by the connections. Use a fresh server: one
    /// that carried more before has room in its heap, and seems to need less.
    Idle(IdleArgs),
    /// What one slow reader costs the others
    ///
    /// Starts `fanfare serve --dev` with the memory broker; all subscribers are in one channel, and one of them
    /// publishes at a steady rate. In pairs, with and without one reader more: one that never reads, is closed and
    /// comes back at once, and then one that reads too slowly in a conflating channel. The ratios are medians of the
    /// pairs' ratios. Deliveries to the slow reader are not counted, what it costs is.
    Slow(SlowArgs),
    /// Whether every client sees every message once, in order and unharmed
    ///
    /// Clients and publishers are spread over the nodes; every message has its publisher's name and number. Every
    /// client is in the one channel and is held to all messages, the publishers included (the namespace must echo).
    /// A publisher never has more than 8 of its own messages under way, so it waits for slow nodes. Exit code 1
    /// when anything was lost, doubled, out of order or damaged, or a connection ended.
    Verify(VerifyArgs),
    /// Many idle connections, held and then sent away at a pace
    ///
    /// Starts a Redis and nodes of `fanfare serve --dev` on it, opens the connections from several processes, holds them,
    /// and tells all nodes to end at once. Exit code 1 when a connection ended before that or other than by the close
    /// code of a restart, or a node ended badly or not in time.
    Drain(DrainArgs),
    /// What clients and publishers notice of a rolling restart
    ///
    /// Holds clients that come back (after a random wait, with the balancer's cookie, as browsers do), publishes numbered
    /// messages through the HTTP API of the same balancer, runs a command that restarts the nodes meanwhile, and holds
    /// what each client heard against what was published. Exit code 1 when a publish was not taken, a client did not
    /// come back or was turned away, a connection ended other than by the close code of a restart, or a client missed
    /// anything but what was published while it was away. The API's key, if it wants one: FANFARE_API_KEY.
    Rolling(RollingArgs),
    /// A floor of `bench` and `suite`: does only what no server can do without
    #[command(hide = true)]
    FloorServer(FloorArgs),
    /// A part of another command's connections
    #[command(hide = true)]
    Worker,
}

/// The flags of `swarm bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// The server [default: `fanfare` beside this program]
    #[arg(long, value_name = "PATH")]
    pub server: Option<PathBuf>,
    /// Idle connections
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    pub connections: usize,
    /// Subscribers of the fan-out
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least_one)]
    pub subscribers: usize,
    /// Payload of a message in bytes
    #[arg(long, value_name = "B", default_value_t = 128)]
    pub bytes: usize,
    /// Rounds; each measures the floor and then the server
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = at_least_one)]
    pub rounds: usize,
    /// Messages of a round, to each of the two
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: u64,
    /// Where the figures go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The flags of `swarm slow`.
#[derive(Debug, Clone, Args)]
pub struct SlowArgs {
    /// The server [default: `fanfare` beside this program]
    #[arg(long, value_name = "PATH")]
    pub server: Option<PathBuf>,
    /// Subscribers that read, the publisher among them
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least_one)]
    pub subscribers: usize,
    /// Payload of a message in bytes
    #[arg(long, value_name = "B", default_value_t = 128)]
    pub bytes: usize,
    /// Messages a second
    #[arg(long, value_name = "M", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: u32,
    /// Pairs of each kind of slow reader
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub pairs: usize,
    /// Seconds of each half of a pair
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// The server's limits.outbound_bytes: small, so that the slow reader is found within a half
    #[arg(long, value_name = "B", default_value_t = 16 << 10, value_parser = at_least_one)]
    pub outbound_bytes: usize,
    /// Where the figures go.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl SlowArgs {
    /// What is to be done, to this server.
    #[must_use]
    pub const fn plan(&self, server: PathBuf) -> slow::Plan {
        let &Self { subscribers, bytes, rate, pairs, seconds, outbound_bytes, .. } = self;
        let half = Duration::from_secs(seconds);
        slow::Plan { server, subscribers, bytes, rate, pairs, half, outbound_bytes }
    }
}

/// The flags of `swarm fanout`.
#[derive(Debug, Clone, Args)]
pub struct FanoutArgs {
    /// The channel's URL, ws://HOST:PORT/ws/CHANNEL or wss://…; without a path, a channel of the run's own
    #[arg(long)]
    pub url: String,
    /// How clients connect.
    #[command(flatten)]
    pub manner: MannerArgs,
    /// The server's process, on this machine. Without it its CPU is not measured
    #[arg(long)]
    pub pid: Option<u32>,
    /// Subscribers, the publisher among them
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least_one)]
    pub subscribers: usize,
    /// Payload of a message in bytes
    #[arg(long, value_name = "B", default_value_t = 128)]
    pub bytes: usize,
    /// Open loop: messages a second, for --seconds [default: 10]
    #[arg(long, value_name = "R", value_parser = open::rate, conflicts_with_all = ["in_flight", "messages"])]
    pub rate: Option<f64>,
    /// With --rate: how many of the subscribers publish, in turns
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = at_least_one, requires = "rate")]
    pub publishers: usize,
    /// Messages under way at once
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = at_least_one)]
    pub in_flight: usize,
    /// Messages in all, after a tenth as many to warm up [default: 1000]
    #[arg(long, value_name = "M", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,
    /// Instead: for so long, after a warm-up of 100 messages
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,
    /// Where the figures go.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl FanoutArgs {
    /// The channel.
    ///
    /// # Errors
    /// The URL is none, or the authorities cannot be read.
    pub fn target(&self) -> anyhow::Result<Target> {
        Target::in_manner(&self.url, &own_path(), self.manner.manner()?)
    }

    /// The same as an open loop, at this rate.
    #[must_use]
    pub fn open(self, rate: f64) -> RoomsArgs {
        RoomsArgs {
            nodes: NodeArgs { url: vec![self.url], manner: self.manner },
            pid: self.pid.into_iter().collect(),
            beside: Vec::new(),
            rooms: 1,
            members: self.subscribers,
            publishers: self.publishers,
            rate,
            bytes: self.bytes,
            seconds: self.seconds.unwrap_or(10),
            warm_up: 2,
            patience: 5,
            origin: OriginArgs::default(),
            output: self.output,
        }
    }

    /// What is to be done.
    #[must_use]
    pub fn plan(&self) -> fanout::Plan {
        let (warm_up, until) = match (self.messages, self.seconds) {
            (_, Some(seconds)) => (100, fanout::Until::Time(Duration::from_secs(seconds))),
            (messages, None) => {
                let messages = messages.unwrap_or(1_000);
                (messages.div_ceil(10), fanout::Until::Messages(messages))
            }
        };
        let load = fanout::Load { in_flight: self.in_flight, until, pace: None };
        fanout::Plan { pid: self.pid, subscribers: self.subscribers, bytes: self.bytes, warm_up, load }
    }
}

/// The flags of `swarm verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// The nodes.
    #[command(flatten)]
    pub nodes: NodeArgs,
    /// Clients that only listen
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub subscribers: usize,
    /// Clients that publish, and listen too
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = at_least_one)]
    pub publishers: usize,
    /// Messages of each publisher
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    pub messages: usize,
    /// Decides who is on which node and what the messages hold [default: random, and printed]
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Seconds without any message after which one that is missing counts as lost
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub patience: u64,
    /// Where the figures go.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl VerifyArgs {
    /// What is to be done, on these nodes.
    #[must_use]
    pub fn plan(&self, targets: Vec<Target>) -> verify::Plan {
        verify::Plan {
            targets,
            subscribers: self.subscribers,
            publishers: self.publishers,
            messages: self.messages,
            seed: self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
            patience: Duration::from_secs(self.patience),
        }
    }
}

pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn json_goes_to_the_standard_output_unless_a_file_is_named() {
        for (words, expected) in
            [(&["--json"][..], Some("-")), (&["--json", "out.json"], Some("out.json")), (&[], None)]
        {
            let all = ["swarm", "verify", "--url", "ws://h/c"].iter().chain(words);
            let Command::Verify(args) = Cli::try_parse_from(all).unwrap().command else {
                panic!("not verify")
            };
            assert_eq!(args.output.json, expected.map(PathBuf::from));
        }
    }

    #[test]
    fn nothing_is_measured_with_none() {
        assert!(Cli::try_parse_from(["swarm", "bench", "--rounds", "0"]).is_err());
        assert!(Cli::try_parse_from(["swarm", "bench", "--subscribers", "0"]).is_err());
    }
}
