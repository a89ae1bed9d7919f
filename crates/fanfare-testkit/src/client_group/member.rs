//! A client that publishes a number about every second, and reconnects after a random time when its connection ends.

use std::{sync::Arc, time::Duration};

use fanfare_swarm::{
    client::{Connection, Ended, HandshakeError, Target},
    clock::random_below,
};
use fanfare_websocket::MessageKind;
use parking_lot::Mutex;
use rand::Rng as _;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::record::{End, Record, Time};

/// The longest wait before a reconnect. Clients wait a random part of it, so that they do not all come at once.
const RECONNECT_WAIT: Duration = Duration::from_secs(1);

/// The longest time for the answer to an upgrade.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// IANA's registry of close codes: try again later.
const TRY_AGAIN_LATER: u16 = 1013;

pub(super) struct Member {
    pub(super) number: usize,
    pub(super) channel: usize,
    /// The client's channel at each entrance.
    pub(super) entrances: Vec<Target>,
    /// The first entrance.
    pub(super) home: usize,
    pub(super) every: Duration,
    pub(super) began: Instant,
    pub(super) record: Arc<Mutex<Record>>,
    pub(super) stop_publishing: CancellationToken,
    pub(super) end: CancellationToken,
}

impl Member {
    pub(super) async fn run(self) {
        let end = self.end.clone();
        end.run_until_cancelled(self.stay_connected()).await;
    }

    async fn stay_connected(self) {
        let mut entrance = self.home;
        loop {
            let Some(target) = self.entrances.get(entrance) else { return };
            match timeout(HANDSHAKE_TIMEOUT, Connection::open(target)).await {
                Ok(Ok(connection)) => self.participate(entrance, connection).await,
                Ok(Err(error)) => self.record.lock().reject(why(&error)),
                Err(_) => self.record.lock().reject("no answer".to_owned()),
            }
            sleep(random_below(RECONNECT_WAIT)).await;
            // As a balancer would choose: by chance.
            entrance = rand::rng().random_range(0..self.entrances.len());
        }
    }

    /// Publishes and listens until the connection ends.
    async fn participate(&self, entrance: usize, connection: Connection) {
        let session = self.record.lock().open(self.number, entrance, self.channel, self.now());
        let sender = connection.sender();
        let listening = connection.run(|_, payload| self.record.lock().hear(session, payload, self.now()));
        let publishing = async {
            // Evenly spread at first, and never in step.
            sleep(random_below(self.every)).await;
            while !self.stop_publishing.is_cancelled() {
                let message = self.record.lock().send(session, self.now());
                sender.message(MessageKind::Text, message.as_bytes());
                sleep(self.every / 2 + random_below(self.every)).await;
            }
            std::future::pending().await
        };
        let ended: Ended = tokio::select! { ended = listening => ended, ended = publishing => ended };
        self.record.lock().close(session, self.now(), how(ended));
    }

    fn now(&self) -> Time {
        self.began.elapsed()
    }
}

fn how(ended: Ended) -> End {
    match ended {
        Ended::Closed(Some(frame)) => {
            let (code, reason) = (frame.code.get(), frame.reason.to_string());
            match code {
                TRY_AGAIN_LATER if reason.contains("refused") => End::Refused,
                TRY_AGAIN_LATER if reason.contains("unknown") => End::Unknown,
                _ => End::Closed(code, reason),
            }
        }
        ended => End::Broken(ended.to_string()),
    }
}

fn why(error: &HandshakeError) -> String {
    match error {
        HandshakeError::Refused { status, .. } => status.to_string(),
        HandshakeError::Io(_) => "the connection failed".to_owned(),
        HandshakeError::Malformed(_) => "the connection ended during the handshake".to_owned(),
        HandshakeError::NotSubscribed(_) => "not subscribed".to_owned(),
        HandshakeError::TimedOut => "no answer".to_owned(),
    }
}
