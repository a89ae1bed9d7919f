//! The command line.

mod open;
mod restart;
mod shared;
pub(crate) mod values;
mod verify;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use self::values::{at_least_one, rate};
pub use self::{
    open::{IdleArgs, RoomsArgs, StormArgs},
    restart::{DrainArgs, RollingArgs},
    shared::{MannerArgs, NodeArgs, OriginArgs, ServerArgs, own_path},
    verify::{HistoryArgs, VerifyArgs},
};
use crate::{
    bench, client::Target, fanout, floor::FloorArgs, output::OutputArgs, report::ReportArgs, slow,
    suite::SuiteArgs,
};

/// Load for WebSocket relays, and a check that no message was lost.
///
/// CPU is the server process's own, from its CPU clock, divided by deliveries: the load generator runs on the same
/// machine, so wall time and messages a second say little. Memory is /proc/PID/smaps_rollup, without the kernel's
/// memory for sockets.
#[derive(Debug, Clone, Parser)]
#[command(name = "swarm", version, arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// First figures of a server, each beside its floor
    ///
    /// Starts `fanfare serve --dev` with the memory broker and measures: (1) its memory per idle connection;
    /// (2) on a fresh server, its CPU per delivery, one message in flight, in turns with the floor: a process with one
    /// thread that only sends the same bytes to as many sockets. The same client reads both. The ratio is the median
    /// of the rounds' ratios.
    Bench(BenchArgs),
    /// All figures of docs/performance.md, each beside its floor and its budget
    ///
    /// Starts the servers and a Redis. Measures only the named cases, if any are named. A figure over its budget is
    /// marked, and is not a failure: budgets depend on the machine.
    Suite(SuiteArgs),
    /// Charts and tables of docs/performance.md from the files of `suite`
    Report(ReportArgs),
    /// CPU per delivery and latency of one channel, closed loop; with --rate, open loop
    ///
    /// All subscribers are in one channel; the first of them publishes. A message is complete when every subscriber
    /// has it, the publisher too; then the next message is sent (--in-flight: several at once). Latency is the time
    /// from sending a message until a subscriber has read it, one value for each delivery.
    ///
    /// With --rate, messages are due at fixed moments instead, as in `swarm rooms` with one channel.
    Fanout(FanoutArgs),
    /// Many channels at a steady rate, open loop: CPU per delivery and per publish, latency, losses
    ///
    /// Every message is due at a moment that is fixed before the run. Its latency counts from that moment until a
    /// member has read it, so a wait in the server, or in this program, is a part of it. Channels are CHANNEL-0,
    /// CHANNEL-1 and so on; a single channel is CHANNEL. The members and publishers of a channel go round the nodes.
    /// Messages are numbered, so that lost, doubled and disordered ones are counted.
    Rooms(RoomsArgs),
    /// Many upgrades at once: time until all clients are connected, failures, CPU and memory per connection
    Storm(StormArgs),
    /// Memory per idle connection, and CPU for heartbeats
    ///
    /// Reads the process's memory, opens the connections, lets them rest (so that the allocator returns the memory of
    /// the handshakes), reads again, and divides the difference by the connections. Use a fresh server: a server that
    /// had more connections before has free memory in its heap, and seems to need less.
    Idle(IdleArgs),
    /// The cost of a slow reader for the others
    ///
    /// Starts `fanfare serve --dev` with the memory broker; all subscribers are in one channel, and one of them
    /// publishes at a steady rate. Measures in pairs, with and without a slow reader: first a client that never reads,
    /// is closed and reconnects at once, then a client that reads too slowly in a conflating channel. The ratios are
    /// medians of the pairs' ratios. Deliveries to the slow reader are not counted; its cost is.
    Slow(SlowArgs),
    /// Checks that every client sees every message once, in order and unchanged
    ///
    /// Clients and publishers are spread over the nodes; every message has its publisher's name and number. All clients
    /// are in one channel and must see all messages, the publishers too (the namespace must echo). A publisher never
    /// has more than 8 of its own messages in flight, so it waits for slow nodes. Exit code 1 if a message was lost,
    /// doubled, out of order or damaged, or a connection ended.
    ///
    /// With --history, publishers call the HTTP API, and repeat each publish with its idempotency key until it is
    /// acknowledged; clients that lose their connection come back with the position of their last message. Nodes and Redis
    /// may fail meanwhile. Exit code 1 if an acknowledged message did not reach every client exactly once, in order. The key
    /// of the API, if it wants one: FANFARE_API_KEY.
    Verify(VerifyArgs),
    /// Many idle connections, held and then closed by a drain at a pace
    ///
    /// Starts a Redis and nodes of `fanfare serve --dev` on it, opens the connections from several processes, holds them,
    /// and tells all nodes to end at once. Exit code 1 if a connection ended before that or other than by the close code
    /// of a restart, or a node ended with an error or too late.
    Drain(DrainArgs),
    /// The effect of a rolling restart on clients and publishers
    ///
    /// Holds clients that reconnect (after a random wait, with the balancer's cookie, as browsers do), publishes numbered
    /// messages through the HTTP API of the same balancer, runs a command that restarts the nodes, and compares the
    /// messages of each client with the published ones. Exit code 1 if a publish was not taken, a client did not come
    /// back or was refused, a connection ended other than by the close code of a restart, or a client missed a message
    /// that was published while it was connected. The key of the API, if it wants one: FANFARE_API_KEY.
    Rolling(RollingArgs),
    /// A floor of `bench` and `suite`: a server that does only what every server must do
    #[command(hide = true)]
    FloorServer(FloorArgs),
    /// A part of the connections of another command
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
    /// Messages of a round, to the floor and to the server each
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: u64,
    /// The output.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl BenchArgs {
    /// The plan for these programs.
    #[must_use]
    pub const fn plan(&self, server: PathBuf, swarm: PathBuf) -> bench::Plan {
        let &Self { connections, subscribers, bytes, rounds, messages, .. } = self;
        bench::Plan { server, swarm, connections, subscribers, bytes, rounds, messages }
    }
}

/// The flags of `swarm slow`.
#[derive(Debug, Clone, Args)]
pub struct SlowArgs {
    /// The server [default: `fanfare` beside this program]
    #[arg(long, value_name = "PATH")]
    pub server: Option<PathBuf>,
    /// Subscribers that read, with the publisher
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
    /// The output.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl SlowArgs {
    /// The plan for this server.
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
    /// The channel's URL, ws://HOST:PORT/ws/CHANNEL or wss://…; without a path, the run has a channel of its own
    #[arg(long)]
    pub url: String,
    /// The manner of connecting.
    #[command(flatten)]
    pub manner: MannerArgs,
    /// The server's process on this machine. Without it, CPU is not measured
    #[arg(long)]
    pub pid: Option<u32>,
    /// Subscribers, with the publisher
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least_one)]
    pub subscribers: usize,
    /// Payload of a message in bytes
    #[arg(long, value_name = "B", default_value_t = 128)]
    pub bytes: usize,
    /// Open loop: messages a second, for --seconds [default: 10]
    #[arg(long, value_name = "R", value_parser = rate, conflicts_with_all = ["in_flight", "messages"])]
    pub rate: Option<f64>,
    /// With --rate: the number of subscribers that publish, in turns
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = at_least_one, requires = "rate")]
    pub publishers: usize,
    /// Messages in flight
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = at_least_one)]
    pub in_flight: usize,
    /// Messages in all, after a warm-up of a tenth as many [default: 1000]
    #[arg(long, value_name = "M", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,
    /// Seconds of messages instead, after a warm-up of 100 messages
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,
    /// The output.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl FanoutArgs {
    /// The channel.
    ///
    /// # Errors
    /// The URL is wrong, or the authorities cannot be read.
    pub fn target(&self) -> anyhow::Result<Target> {
        Target::in_manner(&self.url, &own_path(), self.manner.manner()?)
    }

    /// The flags of the same load as an open loop.
    #[must_use]
    pub fn open(self, rate: f64) -> RoomsArgs {
        RoomsArgs {
            servers: ServerArgs {
                nodes: NodeArgs { url: vec![self.url], manner: self.manner },
                pid: self.pid.into_iter().collect(),
            },
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

    /// The plan.
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn json_without_a_file_goes_to_standard_output() {
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
    fn a_count_of_zero_is_refused() {
        assert!(Cli::try_parse_from(["swarm", "bench", "--rounds", "0"]).is_err());
        assert!(Cli::try_parse_from(["swarm", "bench", "--subscribers", "0"]).is_err());
    }
}
