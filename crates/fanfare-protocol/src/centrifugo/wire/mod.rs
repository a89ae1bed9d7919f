//! The messages of the protocol, each one struct for both encodings: serde makes JSON of it, prost makes Protobuf.
//!
//! What this server never reads of a client, and never says, is absent: both encodings skip what they do not know.
//!
//! - `requests`: what clients send; `results`: what the server answers; `pushes`: what it sends without being asked
//! - `raw`: payloads, which are JSON inside JSON and bytes inside Protobuf

mod pushes;
mod raw;
mod requests;
mod results;

pub(super) use pushes::{
    ClientInfo, DisconnectPush, MessagePush, Presented, Publication, Push, RefreshPush, SubscribePush,
    UnsubscribePush,
};
pub(super) use requests::{
    Command, ConnectRequest, EmulationRequest, FilterNode, HistoryRequest, PublishRequest, RpcRequest,
    SubRefreshRequest, SubscribeRequest,
};
pub(super) use results::{
    ConnectResult, Empty, Error, HistoryResult, PresenceResult, PresenceStatsResult, RefreshResult, Reply,
    RpcResult, SubRefreshResult, SubscribeResult, Subscribed,
};
