//! The hooks by which a node asks the operator's backend what its clients may do.
//!
//! Only clients of a dialect with a connect command are asked for.

use std::{pin::Pin, sync::Arc, time::SystemTime};

use bytes::Bytes;

use crate::{Capability, Channel, ClientId, CloseFrame, Payload, identity::SubscriptionTerms, labels};

labels! {
    /// A question to the backend.
    pub enum Hook {
        /// About the identity of a client that showed no token.
        Connect = "connect",
        /// Whether a client stays whose time is over.
        Refresh = "refresh",
        /// Whether a client may subscribe.
        Subscribe = "subscribe",
        /// Whether a client may publish, and which data.
        Publish = "publish",
        /// About the answer to a call.
        Rpc = "rpc",
        /// Whether a subscription stays whose time is over.
        SubRefresh = "sub_refresh",
    }
}

/// Asks the backend.
///
/// What every implementation guarantees
/// - Bounded time: each future ends, with [`HookRefusal::Unavailable`] where the backend does not answer in time.
/// - Bounded concurrency: a node has no more than a configured number of questions under way. Those above it wait within
///   their time.
/// - A question reaches the backend once, or twice where a connection broke before it was sent. It is not repeated after
///   the backend may have read it.
/// - Nothing is asked before the future is polled. A future that is dropped gives up its question.
pub trait Hooks: Send + Sync + 'static {
    /// Whether the backend answers this kind of question. Where it does not, nothing is asked.
    fn has(&self, hook: Hook) -> bool;

    /// Asks for the identity of a client that connects without a token.
    fn connect(&self, asks: HookClient, question: ConnectQuestion) -> HookFuture<ConnectAnswer>;

    /// Asks whether a client may stay whose time is over.
    fn refresh(&self, asks: HookClient) -> HookFuture<RefreshAnswer>;

    /// Asks whether a client may subscribe to a channel.
    fn subscribe(&self, asks: HookClient, question: SubscribeQuestion) -> HookFuture<SubscriptionTerms>;

    /// Asks whether a client may publish this in a channel.
    fn publish(&self, asks: HookClient, channel: Channel, data: Payload) -> HookFuture<PublishAnswer>;

    /// Asks for the answer to a call.
    fn rpc(&self, asks: HookClient, method: String, data: Option<Payload>) -> HookFuture<Option<Payload>>;

    /// Asks whether a subscription may stay whose time is over.
    fn sub_refresh(&self, asks: HookClient, channel: Channel) -> HookFuture<RefreshAnswer>;
}

/// The future of an answer.
pub type HookFuture<T> = Pin<Box<dyn Future<Output = Result<T, HookRefusal>> + Send>>;

/// Why the backend does not permit it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookRefusal {
    /// The command fails with the backend's error.
    Error(HookError),
    /// The session ends with the backend's code and sentence.
    Disconnect(CloseFrame),
    /// The backend did not answer, or its answer cannot be read. The client may try again.
    Unavailable,
}

/// An error that the backend made for a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HookError {
    /// The backend's number for it.
    pub code: u32,
    /// The backend's sentence.
    pub message: String,
    /// Whether the client may succeed when it tries again.
    pub is_temporary: bool,
}

/// The client for which a question is asked.
#[derive(Debug, Clone)]
pub struct HookClient {
    /// Its id.
    pub client: ClientId,
    /// The encoding of its messages: `json` or `protobuf`.
    pub protocol: &'static str,
    /// The word for its transport.
    pub transport: &'static str,
    /// Its user; empty: none.
    pub user: String,
    /// The text that the backend attached to the client when it connected: JSON that no client sees.
    pub meta: Option<Bytes>,
    /// The headers of its handshake that the backend gets.
    pub headers: Arc<[(String, String)]>,
}

/// The question of [`Hooks::connect`], beside the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectQuestion {
    /// Data of the client for the backend.
    pub data: Option<Payload>,
    /// The name of the client's program.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The channels in which the client wants to go on.
    pub channels: Vec<Channel>,
}

/// An answer of [`Hooks::connect`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectAnswer {
    /// The user; empty: none.
    pub user: String,
    /// When the connection expires; `None`: never.
    pub expires_at: Option<SystemTime>,
    /// Information about the client for other clients.
    pub info: Option<Bytes>,
    /// Data for the client, in the reply to its connect.
    pub data: Option<Payload>,
    /// A text that comes with every later question about this client.
    pub meta: Option<Bytes>,
    /// The channels to which the client is subscribed, and on which terms.
    pub subscriptions: Vec<(Channel, SubscriptionTerms)>,
    /// The rights of the client beside those of namespaces.
    pub capabilities: Vec<Capability>,
}

/// The question of [`Hooks::subscribe`], beside the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeQuestion {
    /// The channel.
    pub channel: Channel,
    /// Data of the client for the backend.
    pub data: Option<Payload>,
}

/// An answer of [`Hooks::publish`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishAnswer {
    /// The data that are published instead; `None`: those of the client.
    pub data: Option<Payload>,
    /// Names and values for the subscribers.
    pub tags: Vec<(String, String)>,
    /// Whether the publication is not kept.
    pub skip_history: bool,
}

/// An answer of [`Hooks::refresh`] and of [`Hooks::sub_refresh`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefreshAnswer {
    /// Whether the time is over.
    pub is_expired: bool,
    /// When it is over next; `None`: never.
    pub expires_at: Option<SystemTime>,
    /// The new information for other clients; `None`: as before.
    pub info: Option<Bytes>,
    /// The new text about the client; `None`: as before.
    pub meta: Option<Bytes>,
}
