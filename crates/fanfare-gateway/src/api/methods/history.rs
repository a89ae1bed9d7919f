//! `POST /api/history`: messages that a channel keeps. `GET /api/history` at the same path is for clients.

use fanfare_core::{Channel, Epoch};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    api::{
        call::{Call, Method, handler_with_clients},
        client_history,
        error::ApiError,
        number,
        reading::{self, MOST, Told},
        schema,
    },
    http::endpoint::{Endpoint, Kind},
    metrics::ApiReason,
    roles::Role,
};

/// The endpoint: POST with a key for backends, GET with the rights of a client.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/api/history"],
    roles: &[Role::Api, Role::Clients],
    kind: Kind::Api,
    handler: |listener| handler_with_clients::<History>(listener, client_history::handler),
    elsewhere: None,
};

/// The messages of a channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct History {
    /// The channel.
    #[schema(schema_with = schema::channel)]
    channel: String,
    /// The most messages, 0 to 10,000; 0 for the position only, -1 for 10,000. An answer of many bytes has fewer.
    #[serde(default, deserialize_with = "limit")]
    #[schema(minimum = -1, maximum = 10000)]
    limit: Option<u64>,
    /// The place behind which the messages begin, or before which with `reverse`.
    since: Option<Since>,
    /// Whether the newest come first.
    #[serde(default)]
    reverse: bool,
}

/// A place in a history.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Since {
    /// The offset.
    #[serde(deserialize_with = "number::whole")]
    pub(super) offset: u64,
    /// The epoch; absent or empty for whichever.
    #[serde(default, deserialize_with = "epoch")]
    #[schema(schema_with = schema::epoch)]
    pub(super) epoch: Option<Epoch>,
}

/// A number of messages; -1 for as many as an answer may have.
fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Value::deserialize(deserializer)? {
        value if value == -1 => Ok(Some(MOST as u64)),
        value => number::optional(value).map_err(D::Error::custom),
    }
}

fn epoch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Epoch>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let wrong = |_| D::Error::custom("an epoch has 16 hexadecimal digits");
    text.parse().map(Some).map_err(wrong)
}

impl Method for History {
    const NAME: &'static str = "history";
    const SUMMARY: &'static str = "Messages that a channel keeps";
    const TAKES: &'static str = "{\"channel\", and if wanted \"limit\", \"since\", \"reverse\"}";
    const REASONS: &'static [ApiReason] =
        &[ApiReason::NotAvailable, ApiReason::UnrecoverablePosition, ApiReason::Unavailable];
    type Result = Told;

    fn channel(&self) -> Option<&str> {
        Some(&self.channel)
    }

    async fn call(self, call: &Call<'_>) -> Result<Told, ApiError> {
        let hub = &call.gateway.hub;
        let channel = Channel::new(&self.channel)?;
        keeps(call, &channel)?;
        let since = self.since.map(|since| (since.offset, since.epoch));
        let part = reading::part(self.limit, since, self.reverse)?;
        reading::read(&*hub.history, &channel, part, hub.settings.message_bytes()).await
    }
}

/// Refuses a channel whose namespace keeps nothing.
pub(super) fn keeps(call: &Call<'_>, channel: &Channel) -> Result<(), ApiError> {
    let namespaces = call.gateway.hub.settings.namespaces();
    namespaces.of(channel).retention.map(drop).ok_or(ApiError::NoHistory)
}
