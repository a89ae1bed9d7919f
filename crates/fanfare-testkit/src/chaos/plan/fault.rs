//! A fault with its particulars.

use std::{fmt, time::Duration};

use crate::Direction;

/// A fault with its particulars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// See [`super::Kind::KillNode`].
    KillNode {
        /// The node.
        node: usize,
        /// The time until it is started again.
        gone: Duration,
    },
    /// See [`super::Kind::FreezeNode`].
    FreezeNode {
        /// The node.
        node: usize,
        /// The time until SIGCONT.
        lasts: Duration,
    },
    /// See [`super::Kind::FreezeRedis`].
    FreezeRedis {
        /// The server.
        server: usize,
        /// The time until SIGCONT.
        lasts: Duration,
    },
    /// See [`super::Kind::KillNormal`] and [`super::Kind::KillPubsub`].
    KillClients {
        /// The server.
        server: usize,
        /// `normal` or `pubsub`.
        kind: &'static str,
    },
    /// See [`super::Kind::OutputLimit`].
    OutputLimit {
        /// The node.
        node: usize,
        /// The server.
        server: usize,
    },
    /// See [`super::Kind::Cut`].
    Cut {
        /// The node.
        node: usize,
        /// The server.
        server: usize,
    },
    /// See [`super::Kind::Stall`].
    Stall {
        /// The node.
        node: usize,
        /// The server.
        server: usize,
        /// The bytes that stand still.
        direction: Direction,
        /// Whether only the connection for subscriptions stands still.
        subscribers: bool,
        /// The time until they go on.
        lasts: Duration,
        /// Whether they are lost instead.
        cut: bool,
    },
    /// See [`super::Kind::Drop`].
    Drop {
        /// The part of the clients, in hundredths.
        percent: u8,
    },
    /// See [`super::Kind::Rolling`].
    Rolling,
    /// See [`super::Kind::Wipe`].
    Wipe {
        /// The server.
        server: usize,
        /// The time until it is started again.
        gone: Duration,
    },
    /// See [`super::Kind::KillMaster`].
    KillMaster {
        /// The server.
        server: usize,
        /// The time until it is started again, once a replica has its place.
        gone: Duration,
    },
    /// See [`super::Kind::FailOver`].
    FailOver {
        /// The server.
        server: usize,
    },
    /// See [`super::Kind::Isolate`].
    Isolate {
        /// The server.
        server: usize,
        /// The node that stays with it.
        node: usize,
        /// The time for which both take writes.
        lasts: Duration,
    },
    /// See [`super::Kind::MoveSlots`].
    MoveSlots {
        /// The master whose slots go to another.
        server: usize,
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
            Self::FreezeRedis { server, lasts } => {
                write!(out, "freeze-redis {} for {}", server + 1, seconds(lasts))
            }
            Self::KillClients { server, kind } => write!(out, "kill-{kind} of Redis {}", server + 1),
            Self::OutputLimit { node, server } => {
                write!(out, "output-limit of node {} at Redis {}", node + 1, server + 1)
            }
            Self::Cut { node, server } => write!(out, "cut node {} from Redis {}", node + 1, server + 1),
            Self::Stall { node, server, direction, subscribers, lasts, cut } => {
                let bytes = if *subscribers { "publications" } else { "all bytes" };
                let then = if *cut { "then cut" } else { "then go on" };
                write!(
                    out,
                    "stall {bytes} {direction:?} between node {} and Redis {} for {}, {then}",
                    node + 1,
                    server + 1,
                    seconds(lasts)
                )
            }
            Self::Drop { percent } => write!(out, "drop {percent} % of the clients"),
            Self::Rolling => out.write_str("rolling restart"),
            Self::Wipe { server, gone } => {
                write!(out, "wipe: Redis {} loses its memory, and is gone for {}", server + 1, seconds(gone))
            }
            Self::KillMaster { server, gone } => write!(
                out,
                "kill-master {}, which comes back as a replica after {}",
                server + 1,
                seconds(gone)
            ),
            Self::FailOver { server } => write!(out, "fail-over of Redis {} by order", server + 1),
            Self::Isolate { server, node, lasts } => write!(
                out,
                "isolate Redis {}, with node {} where Sentinels tell of a switch: two masters for {}",
                server + 1,
                node + 1,
                seconds(lasts)
            ),
            Self::MoveSlots { server } => {
                write!(out, "move-slots: a quarter of all slots leaves Redis {}", server + 1)
            }
        }
    }
}
