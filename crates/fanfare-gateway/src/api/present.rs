//! Reads the clients in a channel, for backends and for clients.

use std::collections::BTreeMap;

use bytes::Bytes;
use fanfare_core::{Channel, presence::PresenceEntry};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::error::ApiError;
use crate::gateway::Gateway;

/// The clients in a channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PresenceResult)]
pub(crate) struct Present {
    /// Each client by its id.
    presence: BTreeMap<String, ClientInfo>,
}

/// A client.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClientInfo {
    /// Its id.
    client: String,
    /// Its user; empty where its token names none.
    user: String,
    /// Information about its connection, from its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value, required = false)]
    conn_info: Option<Box<RawValue>>,
    /// Information about its subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value, required = false)]
    chan_info: Option<Box<RawValue>>,
}

impl ClientInfo {
    fn of(entry: PresenceEntry) -> Self {
        Self {
            client: entry.client.to_string(),
            user: entry.user.unwrap_or_default(),
            conn_info: entry.client_info.as_ref().and_then(json),
            chan_info: entry.channel_info.as_ref().and_then(json),
        }
    }
}

/// JSON that another node took from a token; `None` for other bytes.
fn json(bytes: &Bytes) -> Option<Box<RawValue>> {
    serde_json::from_slice(bytes).ok()
}

/// The clients in a channel.
pub(super) async fn read(gateway: &Gateway, channel: &Channel) -> Result<Present, ApiError> {
    tracks(gateway, channel)?;
    let members = gateway.hub.presence.members(channel).await?;
    let entries = members.into_iter().map(|entry| (entry.client.to_string(), ClientInfo::of(entry)));
    Ok(Present { presence: entries.collect() })
}

/// Refuses a channel whose namespace lists no clients.
pub(super) fn tracks(gateway: &Gateway, channel: &Channel) -> Result<(), ApiError> {
    let namespaces = gateway.hub.settings.namespaces();
    if namespaces.of(channel).tracks_presence { Ok(()) } else { Err(ApiError::NoPresence) }
}
