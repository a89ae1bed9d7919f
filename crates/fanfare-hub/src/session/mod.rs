//! A client's session: its state, the commands of its client, and the bytes to it.
//!
//! A session:
//!
//! - [`state`]: the session itself; `channels`, `end`, `last_activity`, [`traffic`], [`flow`]: parts of it
//! - [`sessions`]: begins sessions, and puts them on transports
//! - `detaching`: a transport that its session left
//! - `access_log`: the log line of a session that has ended
//!
//! From the client:
//!
//! - [`inbound`]: what one session receives, whoever reads it; `intake`: what all of them share
//! - [`feeds`]: sessions that requests feed
//! - [`subscribed`]: a session's place in a channel
//! - `held`: publications of channels whose history was not sent yet; `told`: channels whose losses its client knows
//! - `rates`: what a session may send in a second
//! - [`incomplete`]: bytes that cannot be processed yet
//! - [`commands`], `connecting`, [`subscriptions`], [`recovery`], `resuming`, `reading`, [`publisher`]: carry out what
//!   the client asks for; `by_server`: subscribes it unasked; `attempts`, `pending`: commands that wait; `phase`: whether
//!   the client has connected; `past_sending`: sends it what it missed
//! - [`hooking`]: the operator's backend, which is asked, and the clients that it names; `renewing`: asks it again,
//!   `by_hook`: for which sessions; `refusal`: why a command is not carried out
//! - `permission`: what a namespace permits; `attendance`: tells presence which client is in which channel, and
//!   `news` subscribers; [`events`] the operator's backend
//! - [`identities`]: the clients that show a token; `changed`: those that the backend changed; [`revoked`]: the tokens
//!   that are not good any more; `granted`: the grants of tokens to single subscriptions
//! - `interest`: the channels of this node's sessions, each asked of the broker once
//! - `publish_budget`: how many publishes of a session, and of the node, may be unanswered
//!
//! To the client:
//!
//! - [`writer`]: sends messages, and does what is due afterwards
//! - [`outbound`]: the bytes of one session, in order; `outbound_state`, [`link`], `outgoing`, [`queue`]: parts of it
//! - `flusher`: flushes what sockets refused

mod access_log;
pub(crate) mod attempts;
pub(crate) mod attendance;
pub(crate) mod by_hook;
mod by_server;
mod changed;
pub(crate) mod channels;
pub mod commands;
pub(crate) mod connecting;
pub(crate) mod detaching;
pub(crate) mod end;
pub mod events;
pub mod feeds;
pub mod flow;
pub(crate) mod flusher;
pub(crate) mod granted;
pub(crate) mod held;
pub mod hooking;
pub mod identities;
pub mod inbound;
pub mod incomplete;
pub(crate) mod intake;
pub(crate) mod interest;
pub(crate) mod last_activity;
pub mod link;
pub(crate) mod news;
pub mod outbound;
pub(crate) mod outbound_state;
pub(crate) mod outgoing;
mod past_sending;
pub(crate) mod pending;
pub(crate) mod permission;
pub(crate) mod phase;
pub(crate) mod publish_budget;
pub mod publisher;
pub mod queue;
pub(crate) mod rates;
pub(crate) mod reading;
pub mod recovery;
pub(crate) mod refusal;
pub(crate) mod renewing;
pub(crate) mod resuming;
pub mod revoked;
pub mod sessions;
pub mod state;
pub mod subscribed;
pub mod subscriptions;
pub(crate) mod told;
pub mod traffic;
pub mod writer;
