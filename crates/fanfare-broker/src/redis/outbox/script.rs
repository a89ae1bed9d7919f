//! The scripts that change a channel and tell what changed.
//!
//! Invariant: a pipeline loads a script ahead of its calls, so that Redis knows it. A pipeline that fails all the same is
//! repeated: the scripts change nothing twice.

use std::fmt::Write as _;

use fanfare_core::{Channel, Incarnation, outbox::MAX_EVENTS};
use redis::{Cmd, Pipeline};
use sha1::{Digest, Sha1};

use crate::redis::names::Names;

/// A script, and its name in Redis.
#[derive(Debug)]
pub(crate) struct Script {
    text: String,
    hash: String,
}

/// The answer to a change: the number of events that were dropped, and of clients that left, and the clients that joined.
pub(crate) type Noted = (u64, u64, Vec<String>);

/// The scripts of channels.
#[derive(Debug)]
pub(crate) struct Channels {
    /// Changes a channel by what a node knows. The answer is [`Noted`].
    pub(crate) note: Script,
    /// Takes a part of a dead node's clients out of a channel.
    pub(super) bury: Script,
}

/// The node and the channel of a call.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) names: &'a Names,
    pub(crate) node: Incarnation,
    pub(crate) channel: &'a Channel,
}

impl Default for Channels {
    fn default() -> Self {
        Self {
            note: Script::new(concat!(include_str!("tell.lua"), include_str!("note.lua"))),
            bury: Script::new(concat!(include_str!("tell.lua"), include_str!("bury.lua"))),
        }
    }
}

impl Script {
    fn new(text: &str) -> Self {
        let mut hash = String::new();
        for byte in Sha1::digest(text) {
            // A text takes everything.
            let _ = write!(hash, "{byte:02x}");
        }
        Self { text: text.to_owned(), hash }
    }

    /// Loads it ahead of calls.
    pub(crate) fn load(&self, pipeline: &mut Pipeline) {
        pipeline.cmd("SCRIPT").arg("LOAD").arg(&self.text).ignore();
    }

    /// A call for a node in a channel, to which its own arguments are added. `more` are further keys.
    pub(super) fn call(&self, subject: Subject<'_>, more: &[String]) -> Cmd {
        let Subject { names, node, channel } = subject;
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.hash).arg(5 + more.len());
        call.arg(names.events()).arg(names.presence(channel)).arg(names.occupied(channel));
        call.arg(names.occupies(node)).arg(names.occupying()).arg(more);
        call.arg(node.to_string()).arg(channel.as_str()).arg(MAX_EVENTS);
        call
    }
}

impl Channels {
    /// A call that changes a channel. `is_occupied` says whether the node occupies it, `None` that this stays.
    pub(crate) fn noting<'a>(
        &self,
        subject: Subject<'_>,
        is_occupied: Option<bool>,
        fields: impl Iterator<Item = (String, &'a [u8])>,
        presence_seconds: u64,
    ) -> Cmd {
        let mut call = self.note.call(subject, &[]);
        let is_occupied = match is_occupied {
            Some(true) => "1",
            Some(false) => "0",
            None => "-",
        };
        call.arg(is_occupied).arg(presence_seconds);
        for (client, entry) in fields {
            call.arg(client).arg(entry);
        }
        call
    }
}
