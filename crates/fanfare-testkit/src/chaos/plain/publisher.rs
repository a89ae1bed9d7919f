//! A client that publishes by `POST /publish/{channel}`, one message after another. A message whose answer does not come
//! is not repeated.

use std::time::Duration;

use fanfare_swarm::{clock::random_below, verify::history::Guests};
use http::Request;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;

/// The time between two messages.
const PAUSE: Duration = Duration::from_millis(500);

/// Publishes until `stop`.
pub(super) async fn publish(number: usize, exchange: Exchange, guests: Guests, stop: CancellationToken) {
    let Some(channel) = guests.channel(number) else { return };
    let (uri, payload) = (format!("{}/publish/{channel}", exchange.entrance), guests.payload(number));
    let mut pause = random_below(PAUSE);
    for message in 0_u64.. {
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
        let request = Request::post(&uri).header("Content-Type", "text/plain");
        let answer = exchange.answer(request, format!("{payload}{message}")).await;
        guests.published(number, answer.is_ok());
        pause = PAUSE;
    }
}
