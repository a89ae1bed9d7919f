//! The messages that clients did not ask for, and the parts that results have too.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::raw::{self, is_zero};

/// A push has one of the fields after its channel.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(crate) struct Push {
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) channel: String,
    #[prost(message, optional, tag = "4")]
    #[serde(rename = "pub", skip_serializing_if = "is_zero")]
    pub(crate) publication: Option<Publication>,
    #[prost(message, optional, tag = "5")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) join: Option<Presented>,
    #[prost(message, optional, tag = "6")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) leave: Option<Presented>,
    #[prost(message, optional, tag = "7")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) unsubscribe: Option<UnsubscribePush>,
    #[prost(message, optional, tag = "8")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) message: Option<MessagePush>,
    #[prost(message, optional, tag = "9")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) subscribe: Option<SubscribePush>,
    #[prost(message, optional, tag = "11")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) disconnect: Option<DisconnectPush>,
    #[prost(message, optional, tag = "12")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) refresh: Option<RefreshPush>,
}

#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(crate) struct Publication {
    #[prost(bytes = "bytes", tag = "4")]
    #[serde(serialize_with = "raw::write", skip_serializing_if = "is_zero")]
    pub(crate) data: Bytes,
    /// The client that published it.
    #[prost(message, optional, tag = "5")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) info: Option<ClientInfo>,
    #[prost(uint64, tag = "6")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) offset: u64,
    #[prost(btree_map = "string, string", tag = "7")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) tags: BTreeMap<String, String>,
    /// Whether `data` is a difference.
    #[prost(bool, tag = "8")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) delta: bool,
}

#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(crate) struct ClientInfo {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    #[prost(string, tag = "2")]
    pub(crate) client: String,
    #[prost(bytes = "bytes", tag = "3")]
    #[serde(serialize_with = "raw::write", skip_serializing_if = "is_zero")]
    pub(crate) conn_info: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    #[serde(serialize_with = "raw::write", skip_serializing_if = "is_zero")]
    pub(crate) chan_info: Bytes,
}

/// A client that joined or left.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(crate) struct Presented {
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) info: Option<ClientInfo>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
pub(crate) struct UnsubscribePush {
    #[prost(uint32, tag = "2")]
    pub(crate) code: u32,
    #[prost(string, tag = "3")]
    pub(crate) reason: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
pub(crate) struct DisconnectPush {
    #[prost(uint32, tag = "1")]
    pub(crate) code: u32,
    #[prost(string, tag = "2")]
    pub(crate) reason: String,
}

/// The connection stays for another time.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize)]
pub(crate) struct RefreshPush {
    #[prost(bool, tag = "1")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) expires: bool,
    /// In seconds.
    #[prost(uint32, tag = "2")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) ttl: u32,
}

#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(crate) struct MessagePush {
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(serialize_with = "raw::write", skip_serializing_if = "is_zero")]
    pub(crate) data: Bytes,
}

/// The server subscribed the client.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(crate) struct SubscribePush {
    #[prost(bool, tag = "1")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) recoverable: bool,
    #[prost(string, tag = "4")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) epoch: String,
    #[prost(uint64, tag = "5")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) offset: u64,
    #[prost(bool, tag = "6")]
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) positioned: bool,
    #[prost(bytes = "bytes", tag = "7")]
    #[serde(serialize_with = "raw::write", skip_serializing_if = "is_zero")]
    pub(crate) data: Bytes,
}
