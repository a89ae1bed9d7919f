//! `POST /api/publish`: a message for one channel.

use fanfare_core::{Channel, Limits};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::message::{Fields, Message, Published, Tags};
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
    metrics::ApiReason,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = endpoint::<Publish>(&["/api/publish"]);

/// A message for one channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Publish {
    /// The channel.
    #[schema(schema_with = schema::channel)]
    channel: String,
    /// The message: a string is sent as text, other JSON as its bytes.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = serde_json::Value)]
    data: Option<Box<RawValue>>,
    /// The message as any bytes, in base64, in the place of `data`.
    #[schema(schema_with = schema::base64)]
    b64data: Option<String>,
    /// Whether it is delivered, and not kept in the history.
    #[serde(default)]
    skip_history: bool,
    /// A key of 1 to 256 bytes: one publish is delivered of those with the same within five minutes.
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

impl Method for Publish {
    const NAME: &'static str = "publish";
    const SUMMARY: &'static str = "Publishes a message in a channel";
    const TAKES: &'static str = "{\"channel\", \"data\" or \"b64data\"}";
    const REASONS: &'static [ApiReason] =
        &[ApiReason::Refused, ApiReason::Forbidden, ApiReason::OutcomeUnknown];
    const TAKES_KEY: bool = true;
    type Result = Published;

    fn body_limit(limits: &Limits) -> usize {
        body::of_a_publish(limits)
    }

    fn channel(&self) -> Option<&str> {
        Some(&self.channel)
    }

    async fn call(self, call: &Call<'_>) -> Result<Published, ApiError> {
        let channel = Channel::new(&self.channel)?;
        let Self { data, b64data, skip_history, idempotency_key, tags, event, .. } = self;
        unsupported::refuse([("version", &self.version), ("version_epoch", &self.version_epoch)])?;
        let message =
            Message::new(Fields { data, b64data, skip_history, idempotency_key, tags, event }, call)?;
        message.publish(channel, call).await
    }
}
