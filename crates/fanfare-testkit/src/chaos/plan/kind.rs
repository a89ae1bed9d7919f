//! The kinds of faults.

use std::str::FromStr;

use super::topology::Topology;

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
    /// Redis is killed and starts again, empty. With one server only where it is asked for by name.
    Wipe = "wipe",
    /// The master is killed. A replica takes its place, and it comes back as a replica.
    KillMaster = "kill-master",
    /// A replica is ordered to take the place of the master.
    FailOver = "fail-over",
    /// A master is cut off from all but the nodes, and one node from the Sentinels. It goes on and takes writes while a
    /// replica is in its place.
    Isolate = "isolate",
    /// A quarter of the slots of a Cluster, with their keys, moves to another master.
    MoveSlots = "move-slots",
}

impl Kind {
    /// The kinds that fit this Redis.
    pub fn of(redis: Topology) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |kind| kind.fits(redis))
    }

    /// The same without those after which no message of a channel can be recovered.
    pub fn usual(redis: Topology) -> impl Iterator<Item = Self> {
        Self::of(redis).filter(move |kind| redis != Topology::One || *kind != Self::Wipe)
    }

    /// Whether a run on this Redis can have it. Nodes go straight to the servers of a Cluster, and its channels have other
    /// names.
    #[must_use]
    pub const fn fits(self, redis: Topology) -> bool {
        match self {
            Self::Wipe => matches!(redis, Topology::One | Topology::Three),
            Self::KillMaster | Self::FailOver | Self::Isolate => redis.fails_over(),
            Self::MoveSlots => matches!(redis, Topology::Cluster),
            Self::Cut | Self::Stall | Self::OutputLimit => !matches!(redis, Topology::Cluster),
            _ => true,
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
