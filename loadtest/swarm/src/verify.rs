//! Checks that every client sees every message once, in each publisher's order, byte for byte; with [`history`], also
//! clients that were away.

pub mod checker;
pub mod history;
mod plan;
mod publisher;
mod script;
mod summary;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use tokio::{task::JoinSet, time::Instant};

use self::{checker::Checker, publisher::Publisher, script::Script};
pub use self::{plan::Plan, summary::Summary};
use crate::{
    client::{Connection, Ended, Target},
    connect,
};

/// The time for second copies to come, after all messages have come.
const FOR_DOUBLES: Duration = Duration::from_millis(500);

/// The time between two looks whether all is complete.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Connects all clients, publishes all messages, and compares what each client saw with what was sent.
///
/// # Errors
/// A connection cannot be opened. Later faults are in the summary.
pub async fn run(plan: &Plan) -> anyhow::Result<Summary> {
    let clients = plan.publishers + plan.subscribers;
    let script = Arc::new(Script::new(plan.seed, plan.publishers, plan.messages));
    let checker = Arc::new(Mutex::new(Checker::new(clients, plan.publishers, plan.messages)));
    let connections = connect::all(spread(plan, clients).into_iter()).await?;

    let mut publishing = JoinSet::new();
    let mut reading = JoinSet::new();
    for (client, connection) in connections.into_iter().enumerate() {
        let publisher = (client < plan.publishers).then(|| Publisher::new(client, connection.sender()));
        if let Some(publisher) = publisher.clone() {
            publishing.spawn(publisher.publish_all(script.clone(), plan.patience));
        }
        reading.spawn(listen(client, connection, publisher, script.clone(), checker.clone()));
    }
    let mut sent = vec![0; plan.publishers];
    while let Some(published) = publishing.join_next().await {
        let (publisher, count) = published?;
        if let Some(sent) = sent.get_mut(publisher) {
            *sent = count;
        }
    }
    until_complete_or_quiet(&checker, &sent, plan.patience).await;

    let mut ended = Vec::new();
    while let Some(client) = reading.try_join_next() {
        let (client, why) = client?;
        ended.push(format!("client {client}: {why}"));
    }
    let verdict = checker.lock().verdict(&sent);
    Ok(Summary::new(plan, &sent, verdict, ended))
}

/// A node for each client, publishers first. Publishers and listeners are each spread evenly, in an order by the seed.
fn spread(plan: &Plan, clients: usize) -> Vec<&Target> {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut nodes: Vec<&Target> = plan.targets.iter().cycle().take(clients).collect();
    let (publishers, subscribers) = nodes.split_at_mut(plan.publishers.min(clients));
    publishers.shuffle(&mut random);
    subscribers.shuffle(&mut random);
    nodes
}

/// Reads on a client's connection and notes the messages.
async fn listen(
    client: usize,
    connection: Connection,
    publisher: Option<Publisher>,
    script: Arc<Script>,
    checker: Arc<Mutex<Checker>>,
) -> (usize, Ended) {
    let ended = connection
        .run(|kind, payload| {
            let sighting = script.identify(kind, payload);
            if let Some(publisher) = &publisher {
                publisher.heard(&sighting);
            }
            checker.lock().saw(client, &sighting);
        })
        .await;
    (client, ended)
}

async fn until_complete_or_quiet(checker: &Mutex<Checker>, sent: &[usize], patience: Duration) {
    let (mut received, mut since) = (checker.lock().received(), Instant::now());
    while !checker.lock().is_complete(sent) {
        if since.elapsed() > patience {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let now = checker.lock().received();
        if now != received {
            (received, since) = (now, Instant::now());
        }
    }
    tokio::time::sleep(FOR_DOUBLES).await;
}
