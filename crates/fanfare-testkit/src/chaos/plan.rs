//! The faults of a seed. No clock, no process: the same seed gives the same plan.
//!
//! - [`topology`]: the Redis of the run
//! - [`kind`]: the kinds of faults; [`fault`]: a fault with its particulars
//!
//! Invariant: faults of the same part, a node or Redis for example, do not overlap.

pub mod fault;
pub mod kind;
pub mod topology;

use std::{collections::BTreeMap, fmt, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

pub use self::{
    fault::Fault,
    kind::Kind,
    topology::{NODES, Topology},
};
use crate::Direction;

/// The bounds of a fault that lasts. The short ones are more frequent than the long ones.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(20);

/// The longest time that a process is missing between two of its lives.
const LONGEST_GONE: Duration = Duration::from_secs(4);

/// The longest time between two beginnings.
const LONGEST_GAP: Duration = Duration::from_secs(3);

/// A plan keeps all nodes free for this time for a rolling restart.
const FOR_RESTARTS: Duration = Duration::from_secs(10);

/// The same for a failover, until the old master follows the new one.
const FOR_FAILOVER: Duration = Duration::from_secs(12);

/// The part that a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Node(usize),
    Nodes,
    /// The way from a node to a server.
    Way {
        node: usize,
        server: usize,
    },
    Redis(usize),
    Clients,
}

impl Part {
    fn of(kind: Kind, seed: u64, redis: Topology, random: &mut StdRng) -> Self {
        let servers = redis.servers();
        match kind {
            Kind::KillNode | Kind::FreezeNode => Self::Node(random.random_range(0..NODES)),
            Kind::Cut | Kind::Stall => {
                let way = random.random_range(0..NODES * servers);
                Self::Way { node: way / servers, server: way % servers }
            }
            // The other servers keep their memory, and their clients are told nothing.
            Kind::Wipe => Self::Redis(usize::try_from(seed).unwrap_or(0) % servers),
            Kind::Rolling => Self::Nodes,
            Kind::Drop => Self::Clients,
            _ if servers > 1 => Self::Redis(random.random_range(0..servers)),
            _ => Self::Redis(0),
        }
    }

    /// The parts that are busy meanwhile. A Cluster has one fault at a time: most of its masters must be there.
    fn busy(self, redis: Topology) -> Vec<Self> {
        match (self, redis) {
            (Self::Nodes, _) => (0..NODES).map(Self::Node).collect(),
            (Self::Redis(_), Topology::Cluster) => (0..redis.servers()).map(Self::Redis).collect(),
            (part, _) => vec![part],
        }
    }
}

/// A fault and its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The time from the beginning.
    pub at: Duration,
    /// The fault.
    pub fault: Fault,
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.fault)
    }
}

/// The faults of a seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The faults, in the order of their beginnings.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The plan of a seed: faults of these kinds on this Redis, which begin and end within this time.
    #[must_use]
    pub fn new(seed: u64, lasts: Duration, redis: Topology, kinds: &[Kind]) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut busy: BTreeMap<Part, Duration> = BTreeMap::new();
        let (mut at, mut steps) = (Duration::ZERO, Vec::new());
        while at < lasts {
            let Some(kind) = kinds.choose(&mut random).copied() else { break };
            let part = Part::of(kind, seed, redis, &mut random);
            let longest = LONGEST.min(lasts / 2).min(lasts - at);
            let (fault, takes) = fault(kind, part, longest, &mut random);
            let parts = part.busy(redis);
            // A short run has a rolling restart all the same.
            let fits = takes <= longest || steps.is_empty();
            if fits && parts.iter().all(|part| busy.get(part).is_none_or(|until| *until <= at)) {
                steps.push(Step { at, fault });
                busy.extend(parts.into_iter().map(|part| (part, at + takes)));
            }
            at += LONGEST_GAP.min(lasts / 4).mul_f64(random.random_range(0.1..1.0));
        }
        Self { seed, steps }
    }

    /// The servers that lose their memory.
    #[must_use]
    pub fn wiped(&self) -> Vec<usize> {
        let wiped = |step: &Step| match step.fault {
            Fault::Wipe { server, .. } => Some(server),
            _ => None,
        };
        self.steps.iter().filter_map(wiped).collect()
    }

    /// Whether another server may take the place of a master: channels have another epoch, and their offsets go on. It may
    /// lack the newest messages.
    #[must_use]
    pub fn fails_over(&self, redis: Topology) -> bool {
        let may = |step: &Step| match step.fault {
            Fault::KillMaster { .. }
            | Fault::FailOver { .. }
            | Fault::Isolate { .. }
            | Fault::MoveSlots { .. } => true,
            Fault::FreezeRedis { .. } => redis.fails_over(),
            _ => false,
        };
        self.steps.iter().any(may)
    }
}

/// A fault of this kind, and the time that it takes.
fn fault(kind: Kind, part: Part, longest: Duration, random: &mut StdRng) -> (Fault, Duration) {
    let (node, server) = match part {
        Part::Node(node) => (node, 0),
        Part::Way { node, server } => (node, server),
        Part::Redis(server) => (random.random_range(0..NODES), server),
        Part::Nodes | Part::Clients => (random.random_range(0..NODES), 0),
    };
    let lasts = SHORTEST.mul_f64(LONGEST.div_duration_f64(SHORTEST).powf(random.random_range(0.0..1.0)));
    let (lasts, gone) =
        (lasts.min(longest), LONGEST_GONE.mul_f64(random.random_range(0.0..1.0)).min(longest));
    let moment = Duration::ZERO;
    match kind {
        Kind::KillNode => (Fault::KillNode { node, gone }, gone),
        Kind::FreezeNode => (Fault::FreezeNode { node, lasts }, lasts),
        Kind::FreezeRedis => (Fault::FreezeRedis { server, lasts }, lasts),
        Kind::KillNormal => (Fault::KillClients { server, kind: "normal" }, moment),
        Kind::KillPubsub => (Fault::KillClients { server, kind: "pubsub" }, moment),
        Kind::OutputLimit => (Fault::OutputLimit { node, server }, moment),
        Kind::Cut => (Fault::Cut { node, server }, moment),
        Kind::Stall => {
            let (subscribers, cut) = (random.random_bool(0.5), random.random_bool(0.5));
            let to_server = !subscribers && random.random_bool(0.5);
            let direction = if to_server { Direction::ToServer } else { Direction::ToClient };
            (Fault::Stall { node, server, direction, subscribers, lasts, cut }, lasts)
        }
        Kind::Drop => (Fault::Drop { percent: random.random_range(5..=100) }, moment),
        Kind::Rolling => (Fault::Rolling, FOR_RESTARTS),
        Kind::Wipe => (Fault::Wipe { server, gone }, gone),
        Kind::KillMaster => (Fault::KillMaster { server, gone }, FOR_FAILOVER),
        Kind::FailOver => (Fault::FailOver { server }, FOR_FAILOVER),
        Kind::Isolate => (Fault::Isolate { server, node, lasts: gone }, FOR_FAILOVER),
        Kind::MoveSlots => (Fault::MoveSlots { server }, FOR_FAILOVER),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "seed {}: {} faults", self.seed, self.steps.len())?;
        self.steps.iter().try_for_each(|step| write!(out, "\n  {:6.2} s  {step}", step.at.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests;
