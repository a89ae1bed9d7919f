//! The commands of clients. A command has one method; where it has several, the decoder takes the first in its order.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;

use super::raw;

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(crate) struct Command {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(message, optional, tag = "4")]
    pub(crate) connect: Option<ConnectRequest>,
    #[prost(message, optional, tag = "5")]
    pub(crate) subscribe: Option<SubscribeRequest>,
    #[prost(message, optional, tag = "6")]
    pub(crate) unsubscribe: Option<ChannelRequest>,
    #[prost(message, optional, tag = "7")]
    pub(crate) publish: Option<PublishRequest>,
    #[prost(message, optional, tag = "8")]
    pub(crate) presence: Option<ChannelRequest>,
    #[prost(message, optional, tag = "9")]
    pub(crate) presence_stats: Option<ChannelRequest>,
    #[prost(message, optional, tag = "10")]
    pub(crate) history: Option<HistoryRequest>,
    #[prost(message, optional, tag = "11")]
    #[serde(deserialize_with = "raw::is_there")]
    pub(crate) ping: Option<()>,
    #[prost(message, optional, tag = "12")]
    #[serde(deserialize_with = "raw::is_there")]
    pub(crate) send: Option<()>,
    #[prost(message, optional, tag = "13")]
    pub(crate) rpc: Option<RpcRequest>,
    #[prost(message, optional, tag = "14")]
    pub(crate) refresh: Option<RefreshRequest>,
    #[prost(message, optional, tag = "15")]
    pub(crate) sub_refresh: Option<SubRefreshRequest>,
}

/// The body of a request that carries commands of a client whose replies come down a stream.
#[derive(Clone, PartialEq, Eq, prost::Message, Deserialize)]
pub(crate) struct EmulationRequest {
    #[prost(string, tag = "1")]
    pub(crate) node: String,
    #[prost(string, tag = "2")]
    pub(crate) session: String,
    #[prost(bytes = "bytes", tag = "3")]
    #[serde(deserialize_with = "raw::read_text")]
    pub(crate) data: Bytes,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(crate) struct ConnectRequest {
    #[prost(string, tag = "1")]
    pub(crate) token: String,
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(deserialize_with = "raw::read")]
    pub(crate) data: Bytes,
    #[prost(btree_map = "string, message", tag = "3")]
    pub(crate) subs: BTreeMap<String, SubscribeRequest>,
    /// The name of the client's program.
    #[prost(string, tag = "4")]
    pub(crate) name: String,
    #[prost(string, tag = "5")]
    pub(crate) version: String,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(crate) struct SubscribeRequest {
    #[prost(string, tag = "1")]
    pub(crate) channel: String,
    #[prost(string, tag = "2")]
    pub(crate) token: String,
    #[prost(bool, tag = "3")]
    pub(crate) recover: bool,
    #[prost(string, tag = "6")]
    pub(crate) epoch: String,
    #[prost(uint64, tag = "7")]
    pub(crate) offset: u64,
    #[prost(bytes = "bytes", tag = "8")]
    #[serde(deserialize_with = "raw::read")]
    pub(crate) data: Bytes,
    #[prost(bool, tag = "11")]
    pub(crate) join_leave: bool,
    #[prost(string, tag = "12")]
    pub(crate) delta: String,
    /// A filter over the tags of publications.
    #[prost(message, optional, tag = "13")]
    pub(crate) tf: Option<FilterNode>,
    #[prost(int64, tag = "14")]
    pub(crate) flag: i64,
    /// 0: a stream.
    #[prost(int32, tag = "15")]
    #[serde(rename = "type")]
    pub(crate) kind: i32,
}

/// A node of a filter: a comparison of a tag, or an operation on nodes.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(crate) struct FilterNode {
    /// Empty: a comparison.
    #[prost(string, tag = "1")]
    pub(crate) op: String,
    #[prost(string, tag = "2")]
    pub(crate) key: String,
    #[prost(string, tag = "3")]
    pub(crate) cmp: String,
    #[prost(string, tag = "4")]
    pub(crate) val: String,
    #[prost(string, repeated, tag = "5")]
    pub(crate) vals: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) nodes: Vec<FilterNode>,
}

/// The request of a method that needs a channel and nothing more.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(crate) struct ChannelRequest {
    #[prost(string, tag = "1")]
    pub(crate) channel: String,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(crate) struct PublishRequest {
    #[prost(string, tag = "1")]
    pub(crate) channel: String,
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(deserialize_with = "raw::read")]
    pub(crate) data: Bytes,
    /// 0: into a stream; 1: into a map, as the two fields after it.
    #[prost(int32, tag = "3")]
    #[serde(rename = "type")]
    pub(crate) kind: i32,
    #[prost(string, tag = "4")]
    pub(crate) key: String,
    #[prost(bool, tag = "5")]
    pub(crate) removed: bool,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(crate) struct HistoryRequest {
    #[prost(string, tag = "1")]
    pub(crate) channel: String,
    /// 0: the position only; below 0: as many as the server allows.
    #[prost(int32, tag = "7")]
    pub(crate) limit: i32,
    #[prost(message, optional, tag = "8")]
    pub(crate) since: Option<StreamPosition>,
    #[prost(bool, tag = "9")]
    pub(crate) reverse: bool,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(crate) struct StreamPosition {
    #[prost(uint64, tag = "1")]
    pub(crate) offset: u64,
    #[prost(string, tag = "2")]
    pub(crate) epoch: String,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(crate) struct RpcRequest {
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(deserialize_with = "raw::read")]
    pub(crate) data: Bytes,
    #[prost(string, tag = "2")]
    pub(crate) method: String,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(crate) struct RefreshRequest {
    #[prost(string, tag = "1")]
    pub(crate) token: String,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(crate) struct SubRefreshRequest {
    #[prost(string, tag = "1")]
    pub(crate) channel: String,
    #[prost(string, tag = "2")]
    pub(crate) token: String,
    /// 0: a new token for the subscription.
    #[prost(int32, tag = "3")]
    #[serde(rename = "type")]
    pub(crate) kind: i32,
}
