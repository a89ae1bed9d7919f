//! The reasons why a connection to Redis fails or ends.
//!
//! Invariant: no error holds a password, or the sentence of a Redis error, which may quote the refused command. An
//! error holds only the code word.

use std::{io, time::Duration};

use fanfare_core::broker::Interruption;

use super::{
    code::{DEMOTED, advice, is_configuration},
    resp::Malformed,
    tls::TlsError,
};

/// How long a connection may take until it can be used.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// Redis answered another command than the one it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Redis confirmed something that was not asked for")]
pub(crate) struct Desync;

/// The reason why a connection failed or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("{0}")]
    Io(io::Error),
    #[error("{0}")]
    Tls(#[from] TlsError),
    #[error("no answer within {} s", CONNECT.as_secs())]
    Timeout,
    #[error("it does not speak RESP3: Redis 6.2 or newer is needed, and no proxy that hides it")]
    NoResp3,
    #[error("it has as many clients as it may have (its setting maxclients)")]
    TooManyClients,
    #[error("it answers {0} to {1}: {advice}", advice = advice(.0, right_to(.1)))]
    Refused(String, &'static str),
    #[error("it has no database {0}: see the number at the end of `broker`, and its setting databases")]
    NoDatabase(i64),
    #[error("it is a replica now (it answers {DEMOTED}): what is published there does not reach all nodes")]
    Demoted,
    #[error("its Sentinels say that another server is the master now: this node goes there")]
    Switched,
    #[error("no Sentinel says where the master is: {0}")]
    NoSentinel(String),
    #[error(
        "its Sentinels know no master named {0}: see the end of `broker`, and their setting sentinel monitor"
    )]
    NoMaster(String),
    #[error("another node of the Cluster has its partition now: this node goes there")]
    Moved,
    #[error("no node of the Cluster says where the partition is: {0}")]
    NoOwner(String),
    #[error("it is not a node of a Cluster: use redis:// in `broker`, or its setting cluster-enabled")]
    NoCluster,
    #[error(
        "it does not know SPUBLISH, so it is older than Redis 7: update it, or write ?pubsub=plain behind the URL in \
         `broker`, which sends each message to all nodes of the Cluster"
    )]
    NotSharded,
    #[error("it answered nothing for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("its name leads to another server, which takes writes too: this node goes there")]
    Split,
    #[error("it takes what this node publishes, and does not deliver it to its subscriptions")]
    Deaf,
    #[error(
        "it ended the connection while this node did not keep up with reading: see its setting \
         client-output-buffer-limit pubsub ({0})"
    )]
    Overflow(io::Error),
    #[error("it holds other subscriptions than this node asked for, again and again")]
    Forgetful,
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Desync(#[from] Desync),
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        TlsError::in_io(&error).map_or(Self::Io(error), Self::Tls)
    }
}

impl ConnectionError {
    /// The cause of the interruption, for the subscriptions of the connection.
    pub(crate) fn interruption(&self) -> Interruption {
        match self {
            Self::Demoted | Self::Switched | Self::Moved => Interruption::Demoted,
            Self::Silent(_) => Interruption::Silent,
            Self::Deaf => Interruption::Deaf,
            Self::Overflow(_) => Interruption::Overflow,
            Self::Forgetful => Interruption::Forgotten,
            Self::Split => Interruption::Split,
            _ => Interruption::Lost,
        }
    }

    /// Whether it is a mistake that a person has to correct.
    pub(crate) fn is_configuration(&self) -> bool {
        match self {
            Self::NoResp3 | Self::NoDatabase(_) | Self::NoMaster(_) | Self::NoCluster | Self::NotSharded => {
                true
            }
            Self::Tls(error) => error.is_configuration(),
            Self::Refused(code, _) => is_configuration(code),
            _ => false,
        }
    }
}

/// The right that a command needs.
fn right_to(command: &str) -> &'static str {
    match command {
        "SUBSCRIBE" => "the command subscribe and the channels &<prefix>!*",
        "UNSUBSCRIBE" => "the command unsubscribe",
        "SELECT" => "the command select",
        "CLIENT KILL" => "client|info and client|kill",
        "CLUSTER NODES" => "the command cluster|nodes",
        "SSUBSCRIBE" => "the command ssubscribe and the channels &<prefix>{*}!*",
        "SUNSUBSCRIBE" => "the command sunsubscribe",
        "SENTINEL" => "the commands sentinel|master and sentinel|get-master-addr-by-name",
        _ => "the command hello",
    }
}
