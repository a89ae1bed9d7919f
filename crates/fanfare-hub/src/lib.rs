//! Sessions, channels, shards and fan-out: from a decoded command to the bytes on a socket.
//!
//! The hub knows no dialect and no transport by name. It depends on `fanfare-core` alone and is driven through
//! its traits.
//!
//! The rooms:
//!
//! - [`session`]: a client's session, its commands, and the bytes to it
//! - [`delivery`]: publications on their way from the broker to the sessions
//! - [`calls`]: calls about clients of all nodes
//! - [`upkeep`]: heartbeats, slow clients, bounds of memory, the cluster
//! - [`ending`]: the end of one session and of many
//! - [`metrics`]: the metrics of all of them
//!
//! [`hub`] is the way in for others, and `start` puts the rooms together.

pub mod calls;
pub mod delivery;
pub mod ending;
pub mod hub;
pub mod metrics;
pub mod session;
mod start;
pub mod upkeep;

pub use calls::gather::Calls;
pub use delivery::{
    dispatcher::{self, Dispatcher},
    membership::{Joining, View},
    part::{self, Part},
    tails::past::Past,
};
pub use ending::{
    drain::{Drain, Pace},
    goodbye::Goodbyes,
    interruption::Interruptions,
};
pub use hub::Hub;
pub use metrics::HubMetrics;
pub use session::{
    feeds::{Feed, Feeds},
    hooking::Hooking,
    identities::Identities,
    inbound::{Inbound, Next, Receiving},
    incomplete::Buffered,
    outbound,
    publisher::Publisher,
    recovery::{Recovered, Recovering},
    revoked::RevokedTokens,
    sessions::Sessions,
    state::{ConnectRules, Kind, Peer, Session},
    subscribed::Subscribed,
    subscriptions::Subscriptions,
    traffic::Traffic,
    writer::Writer,
};
pub use upkeep::{
    budget::Budget,
    cluster::Cluster,
    ghosts::{self, Ghosts},
    settings::Settings,
    stall::{self, Stall},
};
