//! A client: it keeps the balancer's cookie, as a browser does, and reconnects when its connection ends. In a channel with
//! history it counts its messages, and comes back with the position of the last.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::sleep;

use super::run::Run;
use crate::{
    client::{Connection, Target, read_at},
    clock::{Moment, random_below},
    position::Position,
};

/// A client waits a random part of this before its first reconnect. Each failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The upper bound of the doubling.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

pub(super) struct Member {
    pub(super) run: Arc<Mutex<Run>>,
    pub(super) number: usize,
    pub(super) target: Target,
    /// The position of its last message; `None` in a channel without history.
    pub(super) position: Option<Position>,
}

impl Member {
    /// Stays connected for ever.
    pub(super) async fn stay(mut self, mut connection: Connection) {
        loop {
            if let Some(cookie) = connection.cookie() {
                self.target = self.target.with_cookie(cookie);
            }
            let ended = connection
                .run(|_, payload| {
                    if let Some(position) = &mut self.position {
                        position.offset += 1;
                    }
                    let number = std::str::from_utf8(payload).ok().and_then(|text| text.parse().ok());
                    self.run.lock().ledger.heard(self.number, number, read_at());
                })
                .await;
            self.run.lock().ended(self.number, Moment::now(), &ended);
            connection = self.come_back().await;
        }
    }

    async fn come_back(&self) -> Connection {
        let mut longest = FIRST_WAIT;
        loop {
            sleep(random_below(longest)).await;
            longest = (2 * longest).min(LONGEST_WAIT);
            let began = Moment::now();
            self.run.lock().reconnects.push(began);
            let since = self.position.as_ref().map(|position| self.target.since(position));
            match Connection::open(since.as_ref().unwrap_or(&self.target)).await {
                Ok(connection) => {
                    let mut run = self.run.lock();
                    run.opened(self.number, connection.cookie().or(self.target.cookie()), began);
                    run.unrecovered += u64::from(since.is_some() && connection.recovered() != Some(true));
                    return connection;
                }
                Err(error) => self.run.lock().turned_away(error.kind()),
            }
        }
    }
}
