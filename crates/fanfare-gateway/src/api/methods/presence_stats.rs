//! `POST /api/presence_stats`: the numbers of clients and users in a channel.

use fanfare_core::Channel;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{
        call::{Call, Method, endpoint},
        error::ApiError,
        present::tracks,
        schema,
    },
    http::endpoint::Endpoint,
    metrics::ApiReason,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = endpoint::<PresenceStats>(&["/api/presence_stats"]);

/// A channel whose clients are counted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PresenceStats {
    /// The channel.
    #[schema(schema_with = schema::channel)]
    channel: String,
}

/// The size of a channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PresenceStatsResult)]
pub(crate) struct Size {
    /// The number of clients.
    num_clients: u64,
    /// The number of different users. Clients without a user count as one.
    num_users: u64,
}

impl Method for PresenceStats {
    const NAME: &'static str = "presence_stats";
    const SUMMARY: &'static str = "The numbers of clients and users in a channel";
    const TAKES: &'static str = "{\"channel\"}";
    const REASONS: &'static [ApiReason] = &[ApiReason::NotAvailable, ApiReason::Unavailable];
    type Result = Size;

    fn channel(&self) -> Option<&str> {
        Some(&self.channel)
    }

    async fn call(self, call: &Call<'_>) -> Result<Size, ApiError> {
        let channel = Channel::new(&self.channel)?;
        tracks(call.gateway, &channel)?;
        let stats = call.gateway.hub.presence.stats(&channel).await?;
        Ok(Size { num_clients: stats.clients, num_users: stats.users })
    }
}
