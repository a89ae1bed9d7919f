//! `POST /api/history_remove`: forgets what a channel keeps. Its offsets go on.

use fanfare_core::Channel;
use serde::{Deserialize, Serialize};

use super::history::keeps;
use crate::{
    api::{
        call::{Call, Method, endpoint},
        error::ApiError,
    },
    http::endpoint::Endpoint,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = endpoint::<HistoryRemove>(&["/api/history_remove"]);

/// A channel whose messages are forgotten.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryRemove {
    /// The channel.
    channel: String,
}

/// The result of a call that has nothing to tell.
#[derive(Debug, Serialize)]
pub(crate) struct Nothing {}

impl Method for HistoryRemove {
    const NAME: &'static str = "history_remove";
    const TAKES: &'static str = "{\"channel\"}";
    type Result = Nothing;

    fn channel(&self) -> Option<&str> {
        Some(&self.channel)
    }

    async fn call(self, call: &Call<'_>) -> Result<Nothing, ApiError> {
        let channel = Channel::new(&self.channel)?;
        keeps(call, &channel)?;
        call.gateway.hub.history.remove(&channel).await?;
        Ok(Nothing {})
    }
}
