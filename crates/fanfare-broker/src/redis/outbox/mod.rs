//! The outbox in Redis: a stream of events, which the same scripts write that change what the events tell.
//!
//! Each node that has clients in channels with events is listed, with these channels. So whoever finds it dead knows all
//! the channels that it leaves.
//!
//! - `script`: the scripts; `entry`: an event as an entry of the stream
//! - `ends`: the ends of connections, which are only appended
//! - `reader`: the outbox as the node sees it; `burial`: takes dead nodes out of their channels
//!
//! The changes of channels are written by the task of presence.

mod burial;
mod ends;
mod entry;
mod reader;
mod script;

pub(crate) use self::{
    ends::{Ends, append},
    reader::RedisOutbox,
    script::{Channels, Noted, Subject},
};
