//! Asks the nodes of the Cluster who has the slots of the partitions: one task for all partitions.
//!
//! - Every known node is asked: those of the URL, and those that were discovered. Each connection is kept.
//! - They are asked each second, and at once when a partition opens a connection: it was sent away, or lost its own.
//! - A partition whose slot has another owner than before is told by its [`Links`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::{
    nodes::{self, Known},
    table::SlotTable,
};
use crate::redis::{
    connection::{
        code::{code, says},
        error::ConnectionError,
        links::Links,
        open::Connection,
        place::{Endpoint, Login},
        resp::{Malformed, Value},
        tls::RedisTls,
    },
    metrics::RedisMetrics,
};

/// How often the nodes are asked, and the least time between two questions.
const EVERY: Duration = Duration::from_secs(1);
const AT_MOST_EVERY: Duration = Duration::from_millis(50);
/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the others may take behind the first half of the answers.
const OTHERS: Duration = Duration::from_millis(100);
/// The longest answer: more than a thousand nodes.
const MAX_ANSWER: usize = 1 << 20;

/// The owners of the partitions' slots, for all who open connections.
#[derive(Debug)]
pub(crate) struct Topology {
    view: watch::Sender<View>,
    /// The number of the last question that somebody waits for.
    wanted: AtomicU64,
    wake: Notify,
    followers: Mutex<Vec<Follower>>,
}

/// A partition, and the owner that it was told.
#[derive(Debug)]
struct Follower {
    at: usize,
    links: Arc<Links>,
    span: Span,
    told: Option<Endpoint>,
}

#[derive(Debug, Default)]
struct View {
    /// All questions up to this one are answered.
    answered: u64,
    /// In the order of the partitions.
    owners: Vec<Option<Endpoint>>,
    /// Why the last question has no answer.
    failed: Option<ConnectionError>,
}

/// One slot of a Cluster.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) topology: Arc<Topology>,
    /// The number of its partition.
    pub(crate) at: usize,
    pub(crate) number: u16,
}

impl Slot {
    /// The node that has it, by a question that is asked after this call.
    pub(crate) async fn owner(&self) -> Result<Endpoint, ConnectionError> {
        let wanted = self.topology.wanted.fetch_add(1, Ordering::AcqRel) + 1;
        self.topology.wake.notify_one();
        self.owner_since(wanted).await
    }

    /// The node that had it at the last question.
    pub(crate) async fn known_owner(&self) -> Result<Endpoint, ConnectionError> {
        self.owner_since(0).await
    }

    async fn owner_since(&self, wanted: u64) -> Result<Endpoint, ConnectionError> {
        let mut view = self.topology.view.subscribe();
        let view = view.wait_for(|view| view.answered >= wanted && view.is_any()).await;
        let view = view.map_err(|_| ConnectionError::NoOwner("this node stops".to_owned()))?;
        match (view.owners.get(self.at), &view.failed) {
            (_, Some(error)) => Err(again(error)),
            (Some(Some(owner)), None) => Ok(owner.clone()),
            _ => Err(ConnectionError::NoOwner(format!("no node has the slot {}", self.number))),
        }
    }

    /// Tells `links` of each later owner.
    pub(crate) fn follow(&self, links: Arc<Links>, span: Span) {
        self.topology.followers.lock().push(Follower { at: self.at, links, span, told: None });
    }
}

/// The same error once more, for another who waits.
fn again(error: &ConnectionError) -> ConnectionError {
    match error {
        ConnectionError::NoCluster => ConnectionError::NoCluster,
        ConnectionError::Refused(code, command) => ConnectionError::Refused(code.clone(), command),
        error => ConnectionError::NoOwner(error.to_string()),
    }
}

impl View {
    fn is_any(&self) -> bool {
        !self.owners.is_empty() || self.failed.is_some()
    }
}

impl Default for Topology {
    fn default() -> Self {
        Self {
            view: watch::Sender::new(View::default()),
            wanted: AtomicU64::new(0),
            wake: Notify::new(),
            followers: Mutex::default(),
        }
    }
}

impl Topology {
    fn publish(&self, answered: u64, owners: Vec<Option<Endpoint>>, failed: Option<ConnectionError>) {
        for follower in &mut *self.followers.lock() {
            let Some(Some(owner)) = owners.get(follower.at) else { continue };
            if follower.told.as_ref() == Some(owner) {
                continue;
            }
            let is_first = follower.told.replace(owner.clone()).is_none();
            let _in_span = follower.span.enter();
            if is_first {
                tracing::info!(at = %owner, "this node of the Cluster has the partition");
            } else {
                tracing::info!(to = %owner, "another node of the Cluster has the partition");
                follower.links.switched(owner.clone());
            }
        }
        self.view.send_replace(View { answered, owners, failed });
    }
}

/// The task that asks.
pub(crate) struct Asking {
    pub(crate) topology: Arc<Topology>,
    /// The nodes of the URL.
    pub(crate) seeds: Vec<Endpoint>,
    /// The slots of the partitions.
    pub(crate) slots: Vec<u16>,
    pub(crate) tls: Option<RedisTls>,
    pub(crate) login: Login,
    /// The name of the connections.
    pub(crate) client_name: String,
    pub(crate) metrics: Arc<RedisMetrics>,
    pub(crate) stop: CancellationToken,
}

/// A node, and the connection that is kept.
struct Asked {
    endpoint: Endpoint,
    connection: Option<Connection>,
}

impl Asking {
    /// Asks until the node stops.
    pub(crate) async fn run(self) {
        self.stop.run_until_cancelled(self.ask_for_ever()).await;
    }

    async fn ask_for_ever(&self) {
        let mut table = SlotTable::new(self.slots.iter().copied());
        let mut asked: Vec<Asked> = Vec::new();
        let mut said = None;
        loop {
            self.choose(&mut asked, &table);
            let wanted = self.topology.wanted.load(Ordering::Acquire);
            let failed = match self.ask(&mut asked).await {
                Ok(answers) => {
                    table.merge(&answers);
                    None
                }
                Err(error) => Some(error),
            };
            let text = failed.as_ref().map(ToString::to_string);
            if let Some(text) = text.as_ref().filter(|_| text != said) {
                tracing::warn!("the nodes of the Cluster do not say where its slots are: {text}");
            }
            said = text;
            self.topology.publish(wanted, table.owners(), failed);
            sleep(AT_MOST_EVERY).await;
            // A partition may have asked meanwhile: its permit is kept.
            _ = timeout(EVERY, self.topology.wake.notified()).await;
        }
    }

    /// Asks the nodes of the URL and those of the table. The connections of the others are closed.
    fn choose(&self, asked: &mut Vec<Asked>, table: &SlotTable) {
        let mut wanted: Vec<_> = self.seeds.iter().chain(table.nodes()).collect();
        wanted.sort_by_key(|endpoint| (&endpoint.host, endpoint.port));
        wanted.dedup();
        asked.retain(|asked| wanted.contains(&&asked.endpoint));
        for endpoint in wanted {
            if !asked.iter().any(|asked| asked.endpoint == *endpoint) {
                asked.push(Asked { endpoint: endpoint.clone(), connection: None });
            }
        }
    }

    /// The answers of those that answer in time.
    async fn ask(&self, asked: &mut [Asked]) -> Result<Vec<Vec<Known>>, ConnectionError> {
        let half = asked.len() / 2;
        let mut asking: FuturesUnordered<_> = asked.iter_mut().map(|asked| self.ask_one(asked)).collect();
        let (mut answers, mut failed) = (Vec::new(), None);
        let mut until = std::pin::pin!(sleep(PATIENCE));
        loop {
            tokio::select! {
                answer = asking.next() => match answer {
                    None => break,
                    Some(Ok(answer)) => {
                        answers.push(answer);
                        if answers.len() == half + 1 {
                            until.as_mut().reset(tokio::time::Instant::now() + OTHERS);
                        }
                    }
                    Some(Err(error)) => failed = Some(error),
                },
                () = &mut until => break,
            }
        }
        if answers.is_empty() { Err(failed.unwrap_or(ConnectionError::Timeout)) } else { Ok(answers) }
    }

    /// A kept connection may have ended: then another is opened.
    async fn ask_one(&self, asked: &mut Asked) -> Result<Vec<Known>, ConnectionError> {
        if let Some(mut kept) = asked.connection.take()
            && let Ok(answer) = question(&mut kept).await
        {
            asked.connection = Some(kept);
            return Ok(nodes::read(&answer, &asked.endpoint)?);
        }
        let (tls, login, name) = (self.tls.as_ref(), &self.login, &self.client_name);
        let mut connection =
            Connection::dial(&asked.endpoint, tls, login, name, MAX_ANSWER, &self.metrics).await?;
        let answer = question(&mut connection).await?;
        asked.connection = Some(connection);
        Ok(nodes::read(&answer, &asked.endpoint)?)
    }
}

async fn question(connection: &mut Connection) -> Result<String, ConnectionError> {
    match connection.command(redis::cmd("CLUSTER").arg("NODES")).await? {
        Value::Text(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Value::Error(error) if says(&error, "cluster support disabled") => Err(ConnectionError::NoCluster),
        Value::Error(error) => Err(ConnectionError::Refused(code(&error), "CLUSTER NODES")),
        _ => Err(Malformed("no text in answer to CLUSTER NODES").into()),
    }
}
