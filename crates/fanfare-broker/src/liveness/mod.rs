//! Whether a broker answers, whether it delivers, and whether it lost messages. No I/O, no clock, and nothing of one
//! broker alone: the caller says what happened, and when.
//!
//! - [`watchdog`]: whether the broker answers
//! - [`canary`]: the message that a node publishes to itself once a second
//! - [`deafness`]: whether the broker delivers the messages that it took
//! - [`outage`]: whether all subscriptions are up, and for how long they were not
//! - [`sequence`]: messages that were lost, came late or came twice
//! - [`split`]: two servers that both take writes
//! - [`progress`]: all that is known of the subscribing side

pub(crate) mod canary;
pub(crate) mod deafness;
pub(crate) mod outage;
pub(crate) mod progress;
pub(crate) mod sequence;
pub(crate) mod split;
pub(crate) mod watchdog;
