//! The vocabulary of Fanfare, and the traits that are its seams.
//!
//! Nothing here does I/O. Every other crate uses these types; siblings do not know each other.
//!
//! The types that a message meets, in order:
//!
//! - [`message`]: a message of a transport, before its dialect decoded it
//! - [`command`]: commands of clients; [`reply`]: the replies
//! - [`channel`], [`payload`], [`attributes`], [`publication`]: a publication, and its parts
//! - [`position`]: its place in the history of its channel; [`cursor`]: a client's places in several
//! - `encoding`: how a publication becomes bytes; [`filter`]: which publications a subscriber wants
//! - [`disconnect`]: why a session ended
//!
//! A node and its clients:
//!
//! - [`identity`]: nodes, sessions and clients
//! - [`namespace`], [`limits`]: what is allowed, and how much; `restricted`: what a channel's name allows;
//!   [`allowance`]: what the operator's backend allows; [`wildcard`]: patterns of names
//! - [`critical_tasks`]: tasks that a node cannot live without
//! - [`labels!`]: enums whose values are labels of metrics
//! - [`buckets`]: bucket bounds of latencies
//!
//! The seams, whose docs are the guarantees every implementation gives:
//!
//! - [`broker`], `broker_error`: carries publications between nodes; [`partition`]: a part of a broker; [`registry`]:
//!   the list of nodes
//! - [`history`]: the publications of a channel that are kept; [`presence`]: the clients in a channel; [`revocation`]: revoked tokens;
//!   [`outbox`]: events for the operator's backend; [`backend`]: all of a broker that a hub uses
//! - [`dialect`]: a protocol of clients, without I/O; [`hooks`]: asks the operator's backend
//! - [`transport`]: framing of messages, and sinks for bytes
//! - [`trace`]: spans, and the trace of a message

pub mod allowance;
pub mod attributes;
pub mod backend;
pub mod broker;
mod broker_error;
pub mod buckets;
pub mod channel;
mod channel_regex;
pub mod command;
pub mod critical_tasks;
pub mod cursor;
pub mod dialect;
pub mod disconnect;
mod encoding;
pub mod filter;
pub mod history;
pub mod hooks;
pub mod identity;
mod label;
mod limit;
pub mod limits;
pub mod message;
pub mod namespace;
pub mod outbox;
pub mod partition;
pub mod payload;
pub mod position;
pub mod presence;
pub mod publication;
pub mod registry;
pub mod reply;
mod restricted;
pub mod revocation;
pub mod token_bucket;
pub mod trace;
pub mod transport;
pub mod wildcard;

pub use allowance::{Action, Allowance, Capability};
pub use attributes::Attributes;
pub use backend::Backend;
pub use broker::{Broker, BrokerEvents, Publish};
pub use broker_error::{PublishError, SubscribeError};
pub use channel::{Channel, ChannelError, ChannelMap, FastHash};
pub use channel_regex::{ChannelRegex, ChannelRegexError};
pub use command::Command;
pub use critical_tasks::CriticalTasks;
pub use cursor::{Cursor, CursorError};
pub use dialect::{Answer, Decoder, DeltaForms, Dialect, Goodbye, Liveness, Ping, Push, Request};
pub use disconnect::{CloseFrame, Disconnect, Rate};
pub use encoding::{EncodingId, EncodingKey, FramingId};
pub use filter::TagFilter;
pub use history::{History, Retention};
pub use hooks::{Hook, HookRefusal, Hooks};
pub use identity::{AuthError, Authenticator, ClientId, Identity, Incarnation, Origin, SessionId};
pub use limit::Limit;
pub use limits::{Heartbeat, Limits};
pub use message::Message;
pub use namespace::{Access, Namespace, Namespaces, OnInterruption, RecoveryMode, SlowClient};
pub use outbox::Outbox;
pub use partition::Partition;
pub use payload::{Payload, PayloadKind};
pub use position::{Epoch, Position, Taken};
pub use presence::Presence;
pub use publication::Publication;
pub use registry::{NodeInfo, Registry};
pub use reply::{CommandError, Reply};
pub use revocation::{Revocation, Revocations};
pub use token_bucket::TokenBucket;
pub use trace::{TraceContext, Tracer};
pub use transport::{Sink, Transport};
