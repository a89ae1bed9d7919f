//! A client that counts its messages, and comes back with the position of the last.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::watch, time::sleep};

use super::{notes::Notes, plan::Plan};
use crate::{
    client::{Connection, Target},
    clock::random_below,
    position::Position,
};

/// A client waits a random part of this before it comes back.
const BEFORE_RETURN: Duration = Duration::from_secs(1);

/// The reason of a close that warns of missed messages.
const MISSED: &str = "messages may have been missed";

pub(super) struct Subscriber {
    pub(super) number: usize,
    pub(super) channel: String,
    /// The channel on each node.
    pub(super) entrances: Vec<Target>,
    pub(super) plan: Plan,
    pub(super) notes: Arc<Mutex<Notes>>,
    /// The part of the clients that drop their connections now.
    pub(super) drops: watch::Receiver<f64>,
}

impl Subscriber {
    /// Stays connected for ever.
    pub(super) async fn stay(mut self) {
        for target in self.entrances.clone().iter().cycle().skip(self.number % self.entrances.len()) {
            let Some(position) = self.notes.lock().ledger.position(self.number) else { return };
            match Connection::open(&target.since(&position)).await {
                Ok(connection) => match connection.recovered() {
                    Some(true) => self.listen(connection).await,
                    Some(false) => self.begin_anew(&position).await,
                    None => self.notes.lock().wrong("the server does not answer ?since=".to_owned()),
                },
                Err(error) => {
                    *self.notes.lock().turned_away.entry(error.kind()).or_default() += 1;
                }
            }
            sleep(random_below(BEFORE_RETURN)).await;
        }
    }

    /// Notes what comes, until the connection ends or is dropped.
    async fn listen(&mut self, connection: Connection) {
        let (number, plan, notes) = (self.number, &self.plan, &self.notes);
        let from = notes.lock().ledger.heard_by(number);
        let listening = connection.run(|_, payload| {
            let name = plan.name(payload);
            notes.lock().ledger.hears(number, name);
        });
        let ended = tokio::select! {
            ended = listening => ended.to_string(),
            () = dropped(&mut self.drops) => "dropped by the client".to_owned(),
        };
        let notes = &mut *self.notes.lock();
        if ended.contains(MISSED) {
            notes.ledger.warns(self.number, from);
        }
        *notes.ends.entry(ended).or_default() += 1;
    }

    /// The server said that this position cannot be recovered. The client wants all of the newest epoch; of the same
    /// epoch, what comes from now on.
    async fn begin_anew(&self, lost: &Position) {
        for node in self.number.. {
            let top = match self.plan.api(node) {
                Ok(mut api) => api.top(&self.channel).await,
                Err(error) => Err(error),
            };
            if let Ok(top) = top {
                let offset = if top.epoch == lost.epoch { top.offset } else { 0 };
                let since = Position { offset, ..top };
                return self.notes.lock().ledger.begins_anew(self.number, since);
            }
            sleep(random_below(BEFORE_RETURN)).await;
        }
    }
}

/// Waits until this client is one of those that drop their connections.
pub async fn dropped(drops: &mut watch::Receiver<f64>) {
    while drops.changed().await.is_ok() {
        let part = *drops.borrow_and_update();
        if rand::random_bool(part.clamp(0.0, 1.0)) {
            return;
        }
    }
    // The check is over.
    std::future::pending().await
}
