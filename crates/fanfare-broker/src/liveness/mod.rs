//! Whether a broker answers, whether it delivers, and whether it lost something. No broker's I/O, and no clock: each
//! file is told what happened, and when.
//!
//! - [`watchdog`]: does the broker answer
//! - [`canary`]: what a node publishes to itself once a second
//! - [`deafness`]: does the broker deliver what it took
//! - [`outage`]: since when subscriptions do not stand, and what the node is told of it
//! - [`sequence`]: what was lost, came late or came twice
//! - [`split`]: two servers that both take writes
//! - [`progress`]: all that is known of the subscribing side

pub(crate) mod canary;
pub(crate) mod deafness;
pub(crate) mod outage;
pub(crate) mod progress;
pub(crate) mod sequence;
pub(crate) mod split;
pub(crate) mod watchdog;
