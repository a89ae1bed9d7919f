//! A subscriber in Redis: it sees published messages even if Redis' answers are lost.

use fanfare_broker_suite::RedisServer;
use futures_util::StreamExt;
use redis::{Client, RedisError, aio::PubSub};

use crate::timeouts::within;

/// A subscriber of one channel in Redis itself.
pub struct Observer(PubSub);

impl Observer {
    /// Subscribes to a channel of Fanfare.
    ///
    /// # Panics
    /// If Redis refuses.
    pub async fn of(redis: &RedisServer, channel: &str) -> Self {
        let subscribed = async {
            let mut subscriber = Client::open(redis.url())?.get_async_pubsub().await?;
            subscriber.subscribe(format!("fanfare:{channel}")).await?;
            Ok::<_, RedisError>(subscriber)
        };
        match within("a subscription in Redis", subscribed).await {
            Ok(subscriber) => Self(subscriber),
            Err(error) => panic!("Redis refuses the subscription: {error}"),
        }
    }

    /// The next message that ends with this text.
    ///
    /// # Panics
    /// If the connection ends first.
    pub async fn sees(&mut self, end: &str) -> Vec<u8> {
        let mut messages = self.0.on_message();
        loop {
            match within("Redis publishes a message", messages.next()).await {
                Some(message) if message.get_payload_bytes().ends_with(end.as_bytes()) => {
                    return message.get_payload_bytes().to_vec();
                }
                Some(_) => {}
                None => panic!("the connection to Redis ended, and {end:?} was not seen"),
            }
        }
    }
}
