//! The commands of the subscribing connection that are to be written, or not confirmed yet.
//!
//! Invariants:
//! - Confirmations come in the order of the commands, and only of written ones. Anything else is a [`Desync`].
//! - Neighbouring channels share a command, up to [`BATCH`] of them. A command that was taken for writing does not
//!   grow.

use std::collections::VecDeque;

use bytes::BytesMut;
use fanfare_core::Channel;

use crate::redis::{connection::error::Desync, metrics::Kind, names::Names};

/// The most channels of one command.
pub(crate) const BATCH: usize = 1000;
/// The number of a node's own channels: two for control, one of them for all nodes, and one for the canary.
pub(crate) const CONTROLS: usize = 3;

/// A command for Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// SUBSCRIBE to the node's own channels.
    SubscribeControl,
    /// SUBSCRIBE to channels. A sealed batch takes no more.
    Subscribe { channels: Vec<Channel>, sealed: bool },
    /// UNSUBSCRIBE from channels.
    Unsubscribe(Vec<Channel>),
    /// CLIENT INFO, for the number of subscriptions.
    Info,
}

impl Command {
    /// Its purpose.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::SubscribeControl | Self::Subscribe { .. } => Kind::Subscribe,
            Self::Unsubscribe(_) => Kind::Unsubscribe,
            Self::Info => Kind::Check,
        }
    }

    /// Appends it as Redis reads it.
    pub(crate) fn write(&self, names: &Names, out: &mut BytesMut) {
        let (name, channels) = match self {
            Self::SubscribeControl => {
                let own = [names.control_all(), names.control_own(), names.canary()];
                let subscribe = redis::cmd(names.pubsub().word("SUBSCRIBE")).arg(&own).get_packed_command();
                return out.extend_from_slice(&subscribe);
            }
            Self::Info => {
                return out.extend_from_slice(&redis::cmd("CLIENT").arg("INFO").get_packed_command());
            }
            Self::Subscribe { channels, .. } => ("SUBSCRIBE", channels),
            Self::Unsubscribe(channels) => ("UNSUBSCRIBE", channels),
        };
        let mut packed = redis::cmd(names.pubsub().word(name));
        for channel in channels {
            packed.arg(names.data(channel).concat());
        }
        out.extend_from_slice(&packed.get_packed_command());
    }
}

/// A confirmation of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmed<'a> {
    /// A subscription to one of the node's own channels.
    Control,
    /// A subscription.
    Subscribed(&'a str),
    /// The end of a subscription.
    Unsubscribed(&'a str),
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    /// The unconfirmed commands, in order. The first `written` of them were taken for writing.
    queue: VecDeque<Command>,
    written: usize,
    /// The number of confirmed channels of the first command.
    progress: usize,
}

impl Commands {
    /// The next command to write.
    pub(crate) fn next(&mut self) -> Option<&Command> {
        let command = self.queue.get(self.written)?;
        self.written += 1;
        Some(command)
    }

    /// The connection ended: forgets all commands.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn push(&mut self, command: Command) {
        self.queue.push_back(command);
    }

    /// SUBSCRIBE. `alone`: in a command of its own, so that an error is about this channel.
    pub(crate) fn subscribe(&mut self, channel: Channel, alone: bool) {
        match self.last_unwritten() {
            Some(Command::Subscribe { channels, sealed: false }) if channels.len() < BATCH && !alone => {
                channels.push(channel);
            }
            _ => self.push(Command::Subscribe { channels: vec![channel], sealed: alone }),
        }
    }

    /// UNSUBSCRIBE.
    pub(crate) fn unsubscribe(&mut self, channel: Channel) {
        match self.last_unwritten() {
            Some(Command::Unsubscribe(channels)) if channels.len() < BATCH => channels.push(channel),
            _ => self.push(Command::Unsubscribe(vec![channel])),
        }
    }

    /// Redis confirmed one channel. The number of confirmed channels of its command.
    pub(crate) fn confirmed(&mut self, what: Confirmed<'_>) -> Result<usize, Desync> {
        let (expected, length) = match (self.first()?, what) {
            (Command::SubscribeControl, Confirmed::Control) => (true, CONTROLS),
            (Command::Subscribe { channels, .. }, Confirmed::Subscribed(name))
            | (Command::Unsubscribe(channels), Confirmed::Unsubscribed(name)) => {
                (channels.get(self.progress).is_some_and(|channel| channel.as_str() == name), channels.len())
            }
            _ => (false, 0),
        };
        if !expected {
            return Err(Desync);
        }
        let progress = self.progress + 1;
        if progress == length {
            self.pop();
        } else {
            self.progress = progress;
        }
        Ok(progress)
    }

    /// Redis answered [`Command::Info`].
    pub(crate) fn informed(&mut self) -> Result<(), Desync> {
        match self.first()? {
            Command::Info => {
                self.pop();
                Ok(())
            }
            _ => Err(Desync),
        }
    }

    /// Redis refused a command, which is done. Redis refuses a command as a whole.
    pub(crate) fn refused(&mut self) -> Result<Command, Desync> {
        self.first()?;
        match self.progress {
            0 => self.pop().ok_or(Desync),
            _ => Err(Desync),
        }
    }

    /// The first command that is not confirmed, if it was written.
    fn first(&self) -> Result<&Command, Desync> {
        self.queue.front().filter(|_| self.written > 0).ok_or(Desync)
    }

    fn pop(&mut self) -> Option<Command> {
        self.progress = 0;
        self.written = self.written.saturating_sub(1);
        self.queue.pop_front()
    }

    fn last_unwritten(&mut self) -> Option<&mut Command> {
        if self.queue.len() > self.written { self.queue.back_mut() } else { None }
    }
}
