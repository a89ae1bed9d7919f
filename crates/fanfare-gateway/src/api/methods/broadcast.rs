//! `POST /api/broadcast`: a message for several channels.
//!
//! Invariant: the publishes are handed over together, and their results are in the order of the channels.

use std::{future::poll_fn, pin::pin};

use fanfare_core::{Channel, Limits};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    items::Item,
    message::{Fields, Message, Published, Tags},
};
use crate::{
    api::{
        body,
        call::{Call, Method, endpoint},
        data::present,
        error::ApiError,
        schema,
        unsupported::{self, Unsupported},
    },
    http::endpoint::Endpoint,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = endpoint::<Broadcast>(&["/api/broadcast"]);

/// The most channels.
const MOST: usize = 1000;

/// A channel in JSON: each byte as an escape, quotes and a comma.
const CHANNEL_BYTES: usize = Channel::MAX_BYTES * 6 + 3;

/// A message for several channels.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Broadcast {
    /// The channels: 1 to 1,000.
    #[schema(min_items = 1, max_items = 1000)]
    channels: Vec<String>,
    /// The message: a string is sent as text, other JSON as its bytes.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = serde_json::Value)]
    data: Option<Box<RawValue>>,
    /// The message as any bytes, in base64, in the place of `data`.
    #[schema(schema_with = schema::base64)]
    b64data: Option<String>,
    /// Whether it is delivered, and not kept in the histories.
    #[serde(default)]
    skip_history: bool,
    /// A key of 1 to 256 bytes: in each channel, one publish is delivered of those with the same within five minutes.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
    /// Names and values for subscribers.
    #[serde(default)]
    #[schema(value_type = HashMap<String, String>)]
    tags: Tags,
    /// The name of the event: 1 to 256 bytes.
    #[schema(min_length = 1, max_length = 256)]
    event: Option<String>,
    /// Libraries for Centrifugo send it. Whether publications are differences says the namespace.
    #[serde(default, rename = "delta")]
    #[schema(ignore)]
    _delta: bool,
    #[serde(default)]
    #[schema(ignore)]
    version: Unsupported,
    #[serde(default)]
    #[schema(ignore)]
    version_epoch: Unsupported,
}

/// The results, in the order of the channels.
#[derive(Serialize, ToSchema)]
#[schema(as = BroadcastResult)]
pub(crate) struct Broadcasted {
    responses: Vec<Item<Published>>,
}

impl Method for Broadcast {
    const NAME: &'static str = "broadcast";
    const SUMMARY: &'static str = "Publishes a message in several channels";
    const TAKES: &'static str = "{\"channels\", \"data\" or \"b64data\"}";
    const TAKES_KEY: bool = true;
    type Result = Broadcasted;

    fn body_limit(limits: &Limits) -> usize {
        body::of_a_publish(limits) + MOST * CHANNEL_BYTES
    }

    async fn call(self, call: &Call<'_>) -> Result<Broadcasted, ApiError> {
        let Self { channels, data, b64data, skip_history, idempotency_key, tags, event, .. } = self;
        unsupported::refuse([("version", &self.version), ("version_epoch", &self.version_epoch)])?;
        if channels.is_empty() || channels.len() > MOST {
            let found = channels.len();
            return Err(ApiError::Field(format!("there are {found} channels, and must be 1 to {MOST}")));
        }
        let message =
            Message::new(Fields { data, b64data, skip_history, idempotency_key, tags, event }, call)?;
        let publish = async |name: &String| message.publish(Channel::new(name)?, call).await;
        let mut published = pin!(join_all(channels.iter().map(publish)));
        let publisher = &call.gateway.hub.publisher;
        let results = poll_fn(|cx| publisher.gather(|| published.as_mut().poll(cx))).await;
        let responses = results.into_iter().map(|result| Item::new(result, call.gateway)).collect();
        Ok(Broadcasted { responses })
    }
}
