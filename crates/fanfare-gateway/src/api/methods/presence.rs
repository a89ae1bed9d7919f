//! `POST /api/presence`: the clients in a channel. `GET /api/presence` at the same path is for clients.

use fanfare_core::Channel;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    api::{
        call::{Call, Method, handler_with_clients},
        client_presence,
        error::ApiError,
        present::{self, Present},
        schema,
    },
    http::endpoint::{Endpoint, Kind},
    metrics::ApiReason,
    roles::Role,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = Endpoint {
    paths: &["/api/presence"],
    roles: &[Role::Api, Role::Clients],
    kind: Kind::Api,
    handler: |listener| handler_with_clients::<Presence>(listener, client_presence::handler),
    elsewhere: None,
};

/// A channel whose clients are listed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Presence {
    /// The channel.
    #[schema(schema_with = schema::channel)]
    channel: String,
}

impl Method for Presence {
    const NAME: &'static str = "presence";
    const SUMMARY: &'static str = "The clients in a channel";
    const TAKES: &'static str = "{\"channel\"}";
    const REASONS: &'static [ApiReason] = &[ApiReason::NotAvailable, ApiReason::Unavailable];
    type Result = Present;

    fn channel(&self) -> Option<&str> {
        Some(&self.channel)
    }

    async fn call(self, call: &Call<'_>) -> Result<Present, ApiError> {
        let channel = Channel::new(&self.channel)?;
        present::read(call.gateway, &channel).await
    }
}
