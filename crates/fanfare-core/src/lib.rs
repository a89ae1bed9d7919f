//! The vocabulary of Fanfare and the traits that are its seams.
//!
//! Nothing here does I/O. Every other crate speaks in these words; siblings do not know each other.
//!
//! A message's words, in the order it meets them:
//!
//! - [`message`]: what a transport carries, before a dialect understood it
//! - [`command`]: what a client asks for, and what it is answered
//! - [`channel`], [`payload`], [`attributes`], [`publication`]: what is published, and where
//! - [`position`]: its place in the history of the channel
//! - [`disconnect`]: why a session ended
//!
//! Who is who:
//!
//! - [`identity`]: nodes and sessions
//! - [`namespace`], [`limits`]: what is allowed, and how much of it
//! - [`critical_tasks`]: the tasks that a node cannot live without
//! - [`labels!`]: words that metrics are labelled with
//! - [`buckets`]: how finely latencies are counted
//!
//! The seams, whose docs are the guarantees every implementation gives:
//!
//! - [`broker`]: carries publications between nodes, in [`partition`]s; [`registry`]: which nodes there are
//! - [`dialect`]: what clients say, without I/O
//! - [`transport`]: how messages are framed, and where bytes go
//! - [`trace`]: spans of what is done, and the trace that a message belongs to

pub mod attributes;
pub mod broker;
mod broker_error;
pub mod buckets;
pub mod channel;
pub mod command;
pub mod critical_tasks;
pub mod dialect;
pub mod disconnect;
mod encoding;
pub mod identity;
mod label;
pub mod limits;
pub mod message;
pub mod namespace;
pub mod partition;
pub mod payload;
pub mod position;
pub mod publication;
pub mod registry;
pub mod trace;
pub mod transport;

pub use attributes::Attributes;
pub use broker::{Broker, BrokerEvents, Publish};
pub use broker_error::{PublishError, SubscribeError};
pub use channel::{Channel, ChannelError};
pub use command::{Command, CommandError, Reply};
pub use critical_tasks::CriticalTasks;
pub use dialect::{Answer, Decoder, Dialect, Ping};
pub use disconnect::{CloseFrame, Disconnect, Rate};
pub use encoding::{EncodingId, EncodingKey, FramingId};
pub use identity::{Identity, Incarnation, Origin, SessionId};
pub use limits::{Heartbeat, Limits};
pub use message::Message;
pub use namespace::{Access, Namespace, Namespaces, OnInterruption, SlowClient};
pub use partition::Partition;
pub use payload::{Payload, PayloadKind};
pub use position::{Epoch, Position, Taken};
pub use publication::Publication;
pub use registry::{NodeInfo, Registry};
pub use trace::{TraceContext, Tracer};
pub use transport::{Sink, Transport};
