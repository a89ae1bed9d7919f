//! A client: it keeps the balancer's cookie, as a browser does, and reconnects when its connection ends.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::sleep;

use super::run::Run;
use crate::{
    client::{Connection, Target, read_at},
    clock::{Moment, random_below},
};

/// A client waits a random part of this before its first reconnect. Each failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The upper bound of the doubling.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

pub(super) struct Member {
    pub(super) run: Arc<Mutex<Run>>,
    pub(super) number: usize,
    pub(super) target: Target,
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
            match Connection::open(&self.target).await {
                Ok(connection) => {
                    self.run.lock().opened(self.number, connection.cookie().or(self.target.cookie()), began);
                    return connection;
                }
                Err(error) => self.run.lock().turned_away(error.kind()),
            }
        }
    }
}
