//! `POST /api/subscribe` and `POST /api/unsubscribe`: subscriptions of clients, wherever they are.

use fanfare_core::{Channel, Limits};
use fanfare_hub::calls::call;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    clients::{self, Clients, Named},
    history::Since,
    terms::{Fields, Override, terms},
};
use crate::{
    api::{
        body,
        call::{Call, Method, endpoint},
        error::ApiError,
        number, schema,
        unsupported::{self, Unsupported},
    },
    http::endpoint::Endpoint,
    metrics::ApiReason,
};

/// The endpoint that subscribes.
pub(crate) const SUBSCRIBE: Endpoint = endpoint::<Subscribe>(&["/api/subscribe"]);
/// The endpoint that unsubscribes.
pub(crate) const UNSUBSCRIBE: Endpoint = endpoint::<Unsubscribe>(&["/api/unsubscribe"]);

/// Subscribes clients to a channel. Its namespace is not asked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subscribe {
    /// The user whose connections are subscribed.
    user: Option<String>,
    /// The client that is subscribed.
    #[schema(schema_with = schema::client)]
    client: Option<String>,
    /// The session that the connect of the client answered, in the place of `client`: of a client over HTTP.
    session: Option<String>,
    /// The channel.
    #[schema(schema_with = schema::channel)]
    channel: String,
    /// Information about the subscriptions for other clients: JSON of at most 4096 bytes.
    #[schema(value_type = Option<serde_json::Value>)]
    info: Option<Box<RawValue>>,
    /// The same in base64, in the place of `info`.
    b64info: Option<String>,
    /// Data for the clients, which come with the news of their subscription.
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
    /// The same as any bytes, in base64, in the place of `data`.
    #[schema(schema_with = schema::base64)]
    b64data: Option<String>,
    /// When the subscriptions end, and their connections with them, in seconds since 1970; absent or 0: never.
    #[serde(default, deserialize_with = "number::optional")]
    expire_at: Option<u64>,
    /// The place behind which the clients get the past of the channel, before all that comes.
    recover_since: Option<Since>,
    /// Options of the channel for these clients.
    #[serde(rename = "override")]
    overrides: Option<Override>,
    #[serde(default)]
    #[schema(ignore)]
    all_users: Unsupported,
}

/// Ends the subscriptions of clients to a channel, or to all of theirs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unsubscribe {
    /// The user whose connections are unsubscribed.
    user: Option<String>,
    /// The client that is unsubscribed.
    #[schema(schema_with = schema::client)]
    client: Option<String>,
    /// The session that the connect of the client answered, in the place of `client`: of a client over HTTP.
    session: Option<String>,
    /// The channel; empty for all channels of these clients.
    #[schema(schema_with = schema::channel_or_all)]
    channel: String,
    #[serde(default)]
    #[schema(ignore)]
    all_users: Unsupported,
}

impl Method for Subscribe {
    const NAME: &'static str = "subscribe";
    const SUMMARY: &'static str = "Subscribes clients to a channel";
    const TAKES: &'static str = "{\"user\", \"client\" or \"session\", and \"channel\"}";
    const REASONS: &'static [ApiReason] = &[ApiReason::OutcomeUnknown];
    type Result = Clients;

    fn body_limit(limits: &Limits) -> usize {
        body::of_a_publish(limits)
    }

    fn channel(&self) -> Option<&str> {
        Some(&self.channel)
    }

    async fn call(self, call: &Call<'_>) -> Result<Clients, ApiError> {
        unsupported::refuse([("all_users", &self.all_users)])?;
        Channel::new(&self.channel)?;
        let Self { client, session, user, channel, info, b64info, data, b64data, .. } = self;
        let Self { expire_at, recover_since, overrides, .. } = self;
        let fields = Fields { info, b64info, data, b64data, expire_at, recover_since, overrides };
        let terms = Box::new(terms(fields, call)?);
        let of = clients::selection(Named { client, session, user, channel: None })?;
        clients::carry_out(call, &of, call::Call::Subscribe { of: of.clone(), channel, terms }).await
    }
}

impl Method for Unsubscribe {
    const NAME: &'static str = "unsubscribe";
    const SUMMARY: &'static str = "Ends the subscriptions of clients to a channel, or to all of theirs";
    const TAKES: &'static str = "{\"user\", \"client\" or \"session\", and \"channel\"}";
    const REASONS: &'static [ApiReason] = &[ApiReason::OutcomeUnknown];
    type Result = Clients;

    fn channel(&self) -> Option<&str> {
        Some(&self.channel)
    }

    async fn call(self, call: &Call<'_>) -> Result<Clients, ApiError> {
        unsupported::refuse([("all_users", &self.all_users)])?;
        if !self.channel.is_empty() {
            Channel::new(&self.channel)?;
        }
        let Self { client, session, user, channel, .. } = self;
        let of = clients::selection(Named { client, session, user, channel: None })?;
        clients::carry_out(call, &of, call::Call::Unsubscribe { of: of.clone(), channel }).await
    }
}
