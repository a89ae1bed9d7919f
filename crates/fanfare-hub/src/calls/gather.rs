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

/// How long a call waits for the answers of nodes.
pub const PATIENCE: Duration = Duration::from_secs(3);

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
}

/// Calls about clients of all nodes.
pub struct Calls {
    incarnation: Incarnation,
    broker: Arc<dyn Broker>,
    local: Local,
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
        Self { incarnation, broker, local, next: AtomicU64::new(1), waiting: Mutex::default() }
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

    /// A message of another node, or of this one: a call for all comes back here too, where it was carried out already.
    pub(crate) async fn hear(&self, from: Incarnation, exchange: Exchange) {
        match exchange {
            Exchange::Call { .. } if from == self.incarnation => {}
            Exchange::Call { id, call } => {
                let answer = self.local.carry_out(call).await;
                self.send(Recipient::Node(from), &Exchange::Answer { id, answer });
            }
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
