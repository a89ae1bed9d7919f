//! The parts that the tests share.
//!
//! - [`lines`]: a dialect with many channels a session, and with its own answers, ping and close codes
//! - [`pipe`]: a transport without WebSocket, in two framings
//! - [`recorder`]: a broker that does what a test says
//! - [`histories`]: histories of channels, whose content and losses a test controls
//! - [`node`]: a hub with one of the brokers
//! - [`tokens`]: tokens whose text says what they grant
//! - [`backend`]: the operator's backend, which is asked
//! - [`client`]: a client that speaks the dialect over the transport

pub(crate) mod backend;
pub(crate) mod client;
pub(crate) mod histories;
pub(crate) mod lines;
pub(crate) mod node;
pub(crate) mod pipe;
pub(crate) mod recorder;
pub(crate) mod tokens;

use std::time::Duration;

use fanfare_core::{Attributes, Channel, Payload, Publication};
use fanfare_hub::Pace;

pub(crate) use backend::{Asked, Told};
pub(crate) use client::Client;
pub(crate) use histories::Histories;
pub(crate) use lines::Lines;
pub(crate) use node::{INCARNATION, Node, Setup};
pub(crate) use pipe::{Framing, Pipe};
pub(crate) use recorder::Recorder;
pub(crate) use tokens::Tokens;

pub(crate) const AT_ONCE: Pace = Pace { per_second: 1, within: Duration::ZERO };

pub(crate) fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

/// A publication with these tags.
pub(crate) fn tagged(name: &str, text: &str, tags: &[(&str, &str)]) -> Publication {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let attributes = Attributes { tags, ..Attributes::default() };
    Publication::new(channel(name), Payload::text(text), None).with_attributes(Some(Box::new(attributes)))
}

/// Ends once no task has anything left to do: paused time moves on only then.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Lets others run until the condition holds.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never holds");
}

/// Fails where a fault would let a test hang; how long a thing takes is not looked at.
pub(crate) async fn ends<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), future).await.expect("it never ends")
}

/// The numbers as the lines `"{channel} {number}"`.
pub(crate) fn numbered(channel: &str, numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("{channel} {number}")).collect()
}
