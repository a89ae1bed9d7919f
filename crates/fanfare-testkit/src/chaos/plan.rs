//! The faults of a seed. No clock, no process: the same seed gives the same plan.
//!
//! Invariant: faults of the same part, a node or Redis for example, do not overlap.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

use crate::Direction;

/// The nodes.
pub const NODES: usize = 3;

/// The bounds of a fault that lasts. The short ones are more frequent than the long ones.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(20);

/// The longest time that a process is missing between two of its lives.
const LONGEST_GONE: Duration = Duration::from_secs(4);

/// The longest time between two beginnings.
const LONGEST_GAP: Duration = Duration::from_secs(3);

/// A plan keeps all nodes free for this time for a rolling restart.
const FOR_RESTARTS: Duration = Duration::from_secs(10);

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)+) => {
        /// The kinds of faults.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $kind,)+ }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// Its name on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }
        }
    };
}

kinds! {
    /// A node gets SIGKILL, and is started again.
    KillNode = "kill-node",
    /// A node gets SIGSTOP.
    FreezeNode = "freeze-node",
    /// Redis gets SIGSTOP.
    FreezeRedis = "freeze-redis",
    /// `CLIENT KILL TYPE normal`.
    KillNormal = "kill-normal",
    /// `CLIENT KILL TYPE pubsub`.
    KillPubsub = "kill-pubsub",
    /// A node's subscriber is killed at its output limit.
    OutputLimit = "output-limit",
    /// The connections between a node and Redis are cut, in the middle of a frame.
    Cut = "cut",
    /// The bytes between a node and Redis stand still, and go on or are lost.
    Stall = "stall",
    /// Clients drop their connections.
    Drop = "drop",
    /// The nodes are restarted one after the other, by SIGTERM.
    Rolling = "rolling",
    /// Redis is killed and starts again, empty. Only where it is asked for by name.
    Wipe = "wipe",
}

impl Kind {
    /// All kinds but those that lose messages.
    pub fn harmless() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|kind| *kind != Self::Wipe)
    }

    fn part(self, random: &mut StdRng) -> Part {
        match self {
            Self::KillNode | Self::FreezeNode => Part::Node(random.random_range(0..NODES)),
            Self::Cut | Self::Stall => Part::Proxy(random.random_range(0..NODES)),
            Self::FreezeRedis | Self::KillNormal | Self::KillPubsub | Self::OutputLimit | Self::Wipe => {
                Part::Redis
            }
            Self::Drop => Part::Clients,
            Self::Rolling => Part::Nodes,
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.iter().copied().find(|kind| kind.name() == text);
        named.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("not a kind of faults; want some of {}", names.join(","))
        })
    }
}

/// The part that a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Node(usize),
    Nodes,
    Proxy(usize),
    Redis,
    Clients,
}

/// A fault with its particulars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// See [`Kind::KillNode`].
    KillNode {
        /// The node.
        node: usize,
        /// The time until it is started again.
        gone: Duration,
    },
    /// See [`Kind::FreezeNode`].
    FreezeNode {
        /// The node.
        node: usize,
        /// The time until SIGCONT.
        lasts: Duration,
    },
    /// See [`Kind::FreezeRedis`].
    FreezeRedis {
        /// The time until SIGCONT.
        lasts: Duration,
    },
    /// See [`Kind::KillNormal`] and [`Kind::KillPubsub`].
    KillClients {
        /// `normal` or `pubsub`.
        kind: &'static str,
    },
    /// See [`Kind::OutputLimit`].
    OutputLimit {
        /// The node.
        node: usize,
    },
    /// See [`Kind::Cut`].
    Cut {
        /// The node.
        node: usize,
    },
    /// See [`Kind::Stall`].
    Stall {
        /// The node.
        node: usize,
        /// The bytes that stand still.
        direction: Direction,
        /// Whether only the connection for subscriptions stands still.
        subscribers: bool,
        /// The time until they go on.
        lasts: Duration,
        /// Whether they are lost instead.
        cut: bool,
    },
    /// See [`Kind::Drop`].
    Drop {
        /// The part of the clients, in hundredths.
        percent: u8,
    },
    /// See [`Kind::Rolling`].
    Rolling,
    /// See [`Kind::Wipe`].
    Wipe {
        /// The time until it is started again.
        gone: Duration,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |span: &Duration| format!("{:.2} s", span.as_secs_f64());
        match self {
            Self::KillNode { node, gone } => write!(out, "kill-node {} for {}", node + 1, seconds(gone)),
            Self::FreezeNode { node, lasts } => {
                write!(out, "freeze-node {} for {}", node + 1, seconds(lasts))
            }
            Self::FreezeRedis { lasts } => write!(out, "freeze-redis for {}", seconds(lasts)),
            Self::KillClients { kind } => write!(out, "kill-{kind}"),
            Self::OutputLimit { node } => write!(out, "output-limit of node {}", node + 1),
            Self::Cut { node } => write!(out, "cut node {} from Redis", node + 1),
            Self::Stall { node, direction, subscribers, lasts, cut } => {
                let bytes = if *subscribers { "publications" } else { "all bytes" };
                let then = if *cut { "then cut" } else { "then go on" };
                write!(out, "stall {bytes} {direction:?} of node {} for {}, {then}", node + 1, seconds(lasts))
            }
            Self::Drop { percent } => write!(out, "drop {percent} % of the clients"),
            Self::Rolling => out.write_str("rolling restart"),
            Self::Wipe { gone } => {
                write!(out, "wipe: Redis loses its memory, and is gone for {}", seconds(gone))
            }
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
    /// The plan of a seed: faults of these kinds, which begin and end within this time.
    #[must_use]
    pub fn new(seed: u64, lasts: Duration, kinds: &[Kind]) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut busy: BTreeMap<Part, Duration> = BTreeMap::new();
        let (mut at, mut steps) = (Duration::ZERO, Vec::new());
        while at < lasts {
            let Some(kind) = kinds.choose(&mut random).copied() else { break };
            let part = kind.part(&mut random);
            let longest = LONGEST.min(lasts / 2).min(lasts - at);
            let (fault, takes) = fault(kind, part, longest, &mut random);
            let parts: Vec<Part> = match part {
                Part::Nodes => (0..NODES).map(Part::Node).collect(),
                part => vec![part],
            };
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

    /// Whether a fault of it makes Redis lose its memory.
    #[must_use]
    pub fn may_forget(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.fault, Fault::Wipe { .. }))
    }
}

/// A fault of this kind, and the time that it takes.
fn fault(kind: Kind, part: Part, longest: Duration, random: &mut StdRng) -> (Fault, Duration) {
    let node = match part {
        Part::Node(node) | Part::Proxy(node) => node,
        _ => random.random_range(0..NODES),
    };
    let lasts = SHORTEST.mul_f64(LONGEST.div_duration_f64(SHORTEST).powf(random.random_range(0.0..1.0)));
    let (lasts, gone) =
        (lasts.min(longest), LONGEST_GONE.mul_f64(random.random_range(0.0..1.0)).min(longest));
    let moment = Duration::ZERO;
    match kind {
        Kind::KillNode => (Fault::KillNode { node, gone }, gone),
        Kind::FreezeNode => (Fault::FreezeNode { node, lasts }, lasts),
        Kind::FreezeRedis => (Fault::FreezeRedis { lasts }, lasts),
        Kind::KillNormal => (Fault::KillClients { kind: "normal" }, moment),
        Kind::KillPubsub => (Fault::KillClients { kind: "pubsub" }, moment),
        Kind::OutputLimit => (Fault::OutputLimit { node }, moment),
        Kind::Cut => (Fault::Cut { node }, moment),
        Kind::Stall => {
            let (subscribers, cut) = (random.random_bool(0.5), random.random_bool(0.5));
            let to_server = !subscribers && random.random_bool(0.5);
            let direction = if to_server { Direction::ToServer } else { Direction::ToClient };
            (Fault::Stall { node, direction, subscribers, lasts, cut }, lasts)
        }
        Kind::Drop => (Fault::Drop { percent: random.random_range(5..=100) }, moment),
        Kind::Rolling => (Fault::Rolling, FOR_RESTARTS),
        Kind::Wipe => (Fault::Wipe { gone }, gone),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "seed {}: {} faults", self.seed, self.steps.len())?;
        self.steps.iter().try_for_each(|step| write!(out, "\n  {:6.2} s  {step}", step.at.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn harmless() -> Vec<Kind> {
        Kind::harmless().collect()
    }

    #[test]
    fn a_seed_gives_one_plan() {
        for seed in 0..20 {
            let plan = Plan::new(seed, MINUTE, &harmless());
            assert_eq!(plan, Plan::new(seed, MINUTE, &harmless()));
            assert_ne!(plan, Plan::new(seed + 1, MINUTE, &harmless()));
            assert!(plan.steps.len() > 15 && !plan.may_forget(), "{plan}");
            assert!(plan.steps.iter().all(|step| step.at < MINUTE), "{plan}");
        }
    }

    #[test]
    fn twenty_seeds_have_all_kinds() {
        let all: String = (1..=20)
            .map(|seed| Plan::new(seed, MINUTE, Kind::ALL).to_string())
            .collect::<Vec<_>>()
            .join("\n");
        for kind in Kind::ALL {
            assert!(all.contains(kind.name()), "{kind:?}");
        }
    }

    #[test]
    fn a_short_run_of_each_kind_has_faults() {
        for kind in Kind::ALL {
            for seed in 0..20 {
                let plan = Plan::new(seed, Duration::from_secs(5), &[*kind]);
                assert!(!plan.steps.is_empty(), "{kind:?} {seed}");
                assert!(plan.to_string().contains(kind.name()), "{plan}");
            }
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
        assert!("kill".parse::<Kind>().unwrap_err().contains("kill-node,freeze-node"));
    }
}
