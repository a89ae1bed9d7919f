//! Asks the nodes, and gathers their answers.
//!
//! Invariant: a call ends once every node that was asked has answered, or after [`PATIENCE`]: then the nodes that did
//! not answer are named.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use fanfare_core::{Broker, Incarnation, NodeInfo, broker::Recipient};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::{Instant, timeout_at},
};

use super::{
    call::{Answer, Call},
    local::Local,
};
use crate::session::feeds::Feeds;

/// How long a call waits for the answers of nodes.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// The bytes of an [`Exchange::Feed`] without its message, at most.
const OF_A_FEED: usize = 256;

/// A call on its way to a node, or the answer on its way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Exchange {
    /// A call.
    Call {
        /// Its number on the node that asks.
        id: u64,
        /// The call.
        call: Call,
    },
    /// An answer.
    Answer {
        /// The number of the call.
        id: u64,
        /// The answer.
        answer: Answer,
    },
    /// A message for a session of the node, which is not answered.
    Feed {
        /// The session's secret name.
        session: String,
        /// The message, in base64.
        message: String,
    },
}

/// Calls about clients of all nodes.
pub struct Calls {
    incarnation: Incarnation,
    broker: Arc<dyn Broker>,
    local: Local,
    feeds: Arc<Feeds>,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, UnboundedSender<(Incarnation, Answer)>>>,
}

/// The answers to a call.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The answers, ordered by node.
    pub answers: Vec<(Incarnation, Answer)>,
    /// The names of the nodes that did not answer.
    pub silent: Vec<String>,
}

/// Takes the entry of a call away, also where its caller does not wait any longer.
struct Waiting<'a>(&'a Calls, u64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.lock().remove(&self.1);
    }
}

impl Calls {
    pub(crate) fn new(incarnation: Incarnation, broker: Arc<dyn Broker>, local: Local) -> Self {
        let feeds = Arc::default();
        Self { incarnation, broker, local, feeds, next: AtomicU64::new(1), waiting: Mutex::default() }
    }

    /// Asks these nodes, or only one of them.
    pub async fn ask(&self, call: Call, nodes: &[NodeInfo], only: Option<Incarnation>) -> Gathered {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, mut answers) = unbounded_channel();
        self.waiting.lock().insert(id, answer);
        let _waiting = Waiting(self, id);
        let mut gathered = Gathered::default();
        let mut asked = others(nodes, only, self.incarnation);
        if !asked.is_empty() {
            let to = only.map_or(Recipient::All, Recipient::Node);
            self.send(to, &Exchange::Call { id, call: call.clone() });
        }
        if only.is_none_or(|only| only == self.incarnation) {
            gathered.answers.push((self.incarnation, self.local.carry_out(call).await));
        }
        let deadline = Instant::now() + PATIENCE;
        while !asked.is_empty() {
            let Ok(Some((from, answer))) = timeout_at(deadline, answers.recv()).await else { break };
            if asked.remove(&from).is_some() {
                gathered.answers.push((from, answer));
            }
        }
        gathered.answers.sort_by_key(|(node, _)| *node);
        gathered.silent = asked.into_values().collect();
        gathered.silent.sort();
        gathered
    }

    /// The sessions of this node that requests feed.
    #[must_use]
    pub fn feeds(&self) -> &Arc<Feeds> {
        &self.feeds
    }

    /// Hands a message to the session of this name on a node. Nobody learns of a name that is not known there, nor of a
    /// message that the broker does not take.
    pub fn feed(&self, node: Incarnation, session: &str, message: Bytes) {
        if node == self.incarnation {
            return self.feeds.feed(session, message);
        }
        let (session, message) = (session.to_owned(), STANDARD.encode(message));
        self.send(Recipient::Node(node), &Exchange::Feed { session, message });
    }

    /// The longest message that can be fed, where a control message has at most this many bytes.
    #[must_use]
    pub const fn longest_feed(control_bytes: usize) -> usize {
        control_bytes.saturating_sub(OF_A_FEED) / 4 * 3
    }

    /// A message for a session of this node. The rest is given back, which may take its time.
    pub(crate) fn hear_feed(&self, exchange: Exchange) -> Option<Exchange> {
        let Exchange::Feed { session, message } = exchange else { return Some(exchange) };
        match STANDARD.decode(message) {
            Ok(bytes) => self.feeds.feed(&session, bytes.into()),
            Err(error) => tracing::debug!(%error, "a message for a session was not understood"),
        }
        None
    }

    /// A message of another node, or of this one: a call for all comes back here too, where it was carried out already.
    pub(crate) async fn hear(&self, from: Incarnation, exchange: Exchange) {
        match exchange {
            Exchange::Call { .. } if from == self.incarnation => {}
            Exchange::Call { id, call } => {
                let answer = self.local.carry_out(call).await;
                self.send(Recipient::Node(from), &Exchange::Answer { id, answer });
            }
            Exchange::Feed { .. } => {}
            Exchange::Answer { id, answer } => {
                if let Some(waiting) = self.waiting.lock().get(&id) {
                    // A caller that does not wait any longer is not told.
                    let _ = waiting.send((from, answer));
                }
            }
        }
    }

    fn send(&self, to: Recipient, exchange: &Exchange) {
        match serde_json::to_vec(exchange) {
            Ok(body) => self.broker.control(to, Bytes::from(body)),
            Err(error) => tracing::error!(%error, "a call was not encoded"),
        }
    }
}

/// The names of the other nodes to ask. A node that is asked by its incarnation need not be listed.
fn others(nodes: &[NodeInfo], only: Option<Incarnation>, me: Incarnation) -> HashMap<Incarnation, String> {
    let incarnation = |node: &NodeInfo| u64::from_str_radix(&node.incarnation, 16).ok().map(Incarnation);
    let named = nodes.iter().filter_map(|node| Some((incarnation(node)?, node.name.clone())));
    named.filter(|(node, _)| *node != me && only.is_none_or(|only| only == *node)).collect()
}
