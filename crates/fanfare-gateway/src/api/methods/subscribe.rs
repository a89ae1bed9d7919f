//! `POST /api/subscribe` and `POST /api/unsubscribe`: subscriptions of clients, wherever they are.

use fanfare_core::Channel;
use fanfare_hub::calls::call;
use serde::Deserialize;
use utoipa::ToSchema;

use super::clients::{self, Clients, Named};
use crate::{
    api::{
        call::{Call, Method, endpoint},
        error::ApiError,
        schema,
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
    #[serde(default)]
    #[schema(ignore)]
    info: Unsupported,
    #[serde(default)]
    #[schema(ignore)]
    b64info: Unsupported,
    #[serde(default)]
    #[schema(ignore)]
    data: Unsupported,
    #[serde(default)]
    #[schema(ignore)]
    b64data: Unsupported,
    #[serde(default)]
    #[schema(ignore)]
    expire_at: Unsupported,
    #[serde(default)]
    #[schema(ignore)]
    recover_since: Unsupported,
    #[serde(default, rename = "override")]
    #[schema(ignore)]
    overrides: Unsupported,
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

    fn channel(&self) -> Option<&str> {
        Some(&self.channel)
    }

    async fn call(self, call: &Call<'_>) -> Result<Clients, ApiError> {
        unsupported::refuse([
            ("info", &self.info),
            ("b64info", &self.b64info),
            ("data", &self.data),
            ("b64data", &self.b64data),
            ("expire_at", &self.expire_at),
            ("recover_since", &self.recover_since),
            ("override", &self.overrides),
            ("all_users", &self.all_users),
        ])?;
        Channel::new(&self.channel)?;
        let Self { client, session, user, channel, .. } = self;
        let of = clients::selection(Named { client, session, user, channel: None })?;
        clients::carry_out(call, &of, call::Call::Subscribe { of: of.clone(), channel }).await
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
