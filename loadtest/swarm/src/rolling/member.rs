//! One client: as a browser keeps the balancer's cookie, and comes back whenever it is closed.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::Rng as _;
use tokio::time::sleep;

use super::Run;
use crate::{
    client::{Connection, Target, read_at},
    clock::Moment,
};

/// Before its first try a client waits a random part of this, before each further one of twice as much as before.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The most it waits a part of.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

pub(super) struct Member {
    pub(super) run: Arc<Mutex<Run>>,
    pub(super) number: usize,
    pub(super) target: Target,
}

impl Member {
    /// Comes back for ever.
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

fn random_below(most: Duration) -> Duration {
    most.mul_f64(rand::rng().random_range(0.0..1.0))
}
