//! Sees what Redis was told to publish, whatever its answers have come to.

use futures_util::StreamExt;
use redis::{Client, RedisError, aio::PubSub};

use crate::{RedisServer, within};

/// A subscriber of one channel in Redis itself, beside all nodes.
pub struct Observer(PubSub);

impl Observer {
    /// Subscribes to a channel of Fanfare's.
    ///
    /// # Panics
    /// Where Redis does not let it.
    pub async fn of(redis: &RedisServer, channel: &str) -> Self {
        let subscribed = async {
            let mut subscriber = Client::open(redis.url())?.get_async_pubsub().await?;
            subscriber.subscribe(format!("fanfare:{channel}")).await?;
            Ok::<_, RedisError>(subscriber)
        };
        match within("a subscription in Redis", subscribed).await {
            Ok(subscriber) => Self(subscriber),
            Err(error) => panic!("no subscription in Redis: {error}"),
        }
    }

    /// Returns the first message from now on that ends so, once Redis published it.
    ///
    /// # Panics
    /// Where the connection ends first.
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
