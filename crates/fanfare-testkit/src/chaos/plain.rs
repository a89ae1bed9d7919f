//! Clients of plain HTTP on the stage. The checker's judge judges them as it judges its own clients.
//!
//! - `listener`: a client that listens by events, lines or polls, and goes on from its cursor; `publisher`: one that publishes
//! - `exchange`: requests, and bodies in parts
//!
//! Invariant: a client counts a message and takes its cursor in one step, so that it may be dropped at any moment.

mod exchange;
mod listener;
mod publisher;

use fanfare_swarm::verify::history::Guests;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::{
    exchange::{Exchange, http},
    listener::{Listener, Way},
};
use crate::{endpoint::Endpoint, timeouts::within};

/// The clients.
pub(super) struct Plain {
    stop: CancellationToken,
    publishing: JoinSet<()>,
    /// They end with it.
    _listening: JoinSet<()>,
}

impl Plain {
    /// Starts them. They listen from the positions at which the check began.
    pub(super) fn start(entrance: Endpoint, clients: usize, publishers: usize, guests: &Guests) -> Self {
        let (http, stop) = (http(), CancellationToken::new());
        let exchange = || Exchange { entrance: entrance.url(), http: http.clone() };
        let (mut listening, mut publishing) = (JoinSet::new(), JoinSet::new());
        for (number, way) in (0..clients).zip([Way::Events, Way::Lines, Way::Polls].into_iter().cycle()) {
            if let Some(listener) = Listener::new(number, way, exchange(), guests) {
                listening.spawn(listener.stay());
            }
        }
        for number in 0..publishers {
            publishing.spawn(publisher::publish(number, exchange(), guests.clone(), stop.clone()));
        }
        Self { stop, publishing, _listening: listening }
    }

    /// Ends publishing. Returns once the fate of each message is known.
    pub(super) async fn stop(&mut self) {
        self.stop.cancel();
        within("clients of plain HTTP stop", async { while self.publishing.join_next().await.is_some() {} })
            .await;
    }
}
