//! `POST /api/history_remove`: forgets what a channel keeps. Its offsets go on.

use fanfare_core::Channel;
use fanfare_hub::calls::call::{self, Selection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{clients, history::keeps};
use crate::{
    api::{
        call::{Call, Method, endpoint},
        error::ApiError,
        schema,
    },
    http::endpoint::Endpoint,
    metrics::ApiReason,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = endpoint::<HistoryRemove>(&["/api/history_remove"]);

/// A channel whose messages are forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryRemove {
    /// The channel.
    #[schema(schema_with = schema::channel)]
    channel: String,
}

/// The result of a call that has nothing to tell.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Nothing)]
pub(crate) struct Nothing {}

impl Method for HistoryRemove {
    const NAME: &'static str = "history_remove";
    const SUMMARY: &'static str = "Forgets the messages that a channel keeps; its offsets go on";
    const TAKES: &'static str = "{\"channel\"}";
    const REASONS: &'static [ApiReason] =
        &[ApiReason::NotAvailable, ApiReason::Unavailable, ApiReason::OutcomeUnknown];
    type Result = Nothing;

    fn channel(&self) -> Option<&str> {
        Some(&self.channel)
    }

    async fn call(self, call: &Call<'_>) -> Result<Nothing, ApiError> {
        let channel = Channel::new(&self.channel)?;
        keeps(call, &channel)?;
        call.gateway.hub.history.remove(&channel).await?;
        let forget = call::Call::Forget { channel: self.channel };
        clients::carry_out(call, &Selection::default(), forget).await?;
        Ok(Nothing {})
    }
}
