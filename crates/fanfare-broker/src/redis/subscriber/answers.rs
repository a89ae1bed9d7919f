//! Takes the frames that come on the subscribing connection: messages, confirmations and answers.

use std::{ops::Range, time::Instant};

use fanfare_core::broker::Interruption;

use super::{
    table::{commands::Confirmed, refused::Refusal, subscriptions::Counted},
    task::Subscriber,
};
use crate::{
    liveness::canary::Canary,
    metrics::Dropped,
    redis::{
        connection::{
            code::{Cause, NotRun, advice, code, is_configuration, says},
            error::{ConnectionError, Desync},
            info::field,
            resp::{Frame, Malformed, Reader, Value},
        },
        names::Meaning,
        pubsub::PubSub,
    },
};

impl Subscriber {
    pub(super) fn gather(&mut self, reader: &mut Reader) -> Result<(), ConnectionError> {
        self.incoming.update_nodes();
        let events = self.incoming.events.clone();
        let mut dispatched = Ok(());
        events.gather(&mut || dispatched = self.dispatch(reader));
        dispatched
    }

    fn dispatch(&mut self, reader: &mut Reader) -> Result<(), ConnectionError> {
        while let Some(frame) = reader.next()? {
            match frame {
                Frame::Message { channel, payload } => self.message(reader, channel, payload),
                Frame::TooLong => self.metrics.broker.dropped(Dropped::TooLong),
                Frame::Subscribed { channel } => {
                    let what = match self.names.meaning(reader.bytes(channel)) {
                        Meaning::Data(name) => {
                            self.progress.outage.confirmed(Instant::now());
                            Confirmed::Subscribed(name)
                        }
                        Meaning::Control => Confirmed::Control,
                        Meaning::Canary => {
                            self.links.canary(Canary::subscribed);
                            self.links.hurry.notify_one();
                            Confirmed::Control
                        }
                        Meaning::Unknown => return Err(Desync.into()),
                    };
                    if let Some(channel) = self.table.confirmed(what, Instant::now())? {
                        tracing::warn!(%channel, "Redis permits this node to subscribe again: messages may be missed");
                        self.incoming.events.missed(&channel);
                    }
                }
                Frame::Unsubscribed { channel } => {
                    let Meaning::Data(name) = self.names.meaning(reader.bytes(channel)) else {
                        return Err(self.unasked());
                    };
                    let confirmed = self.table.confirmed(Confirmed::Unsubscribed(name), Instant::now());
                    confirmed.map_err(|_| self.unasked())?;
                }
                Frame::Reply(Value::Error(error)) => self.refused(&error)?,
                Frame::Reply(Value::Text(info)) => self.counted(&info)?,
                Frame::Reply(_) => return Err(Malformed("no text in answer to CLIENT INFO").into()),
            }
        }
        Ok(())
    }

    fn message(&mut self, reader: &mut Reader, channel: Range<usize>, payload: Range<usize>) {
        match self.names.meaning(reader.bytes(channel)) {
            Meaning::Data(name) => {
                // Messages of a channel that is not wanted any more may still come for a moment.
                if let Some(channel) = self.table.find(name).cloned() {
                    self.incoming.data(channel, reader, payload, &mut self.table);
                }
            }
            Meaning::Control => self.incoming.control(reader, payload),
            Meaning::Canary => self.heard(reader.bytes(payload)),
            Meaning::Unknown => {}
        }
    }

    fn heard(&mut self, round: &[u8]) {
        let Some(round) = std::str::from_utf8(round).ok().and_then(|round| round.parse().ok()) else {
            return self.metrics.broker.dropped(Dropped::Misplaced);
        };
        self.progress.deafness.heard(round);
        if self.links.heard(round) {
            self.look_whether_restored();
        }
    }

    /// The answer to CLIENT INFO is in.
    fn counted(&mut self, info: &[u8]) -> Result<(), ConnectionError> {
        let info = std::str::from_utf8(info).ok();
        let subscriptions =
            info.and_then(|info| field(info, self.names.pubsub().count())).and_then(|sub| sub.parse().ok());
        let subscriptions = subscriptions.ok_or(Malformed("no number of subscriptions in CLIENT INFO"))?;
        let counted = self.table.counted(subscriptions)?;
        if counted != Counted::Wrong {
            self.progress.last_check = Instant::now();
            self.settled(counted == Counted::Settled);
            return Ok(());
        }
        self.metrics.mismatches.inc();
        tracing::warn!(subscriptions, "Redis holds other subscriptions than this node: subscribing again");
        if !self.progress.outage.is_settled() {
            return Err(ConnectionError::Forgetful);
        }
        self.interrupted(Interruption::Forgotten, Some(self.progress.last_check));
        Ok(())
    }

    /// Redis ended a subscription. A node of a Cluster does so when the slot leaves it.
    fn unasked(&self) -> ConnectionError {
        match self.names.pubsub() {
            PubSub::Plain => Desync.into(),
            PubSub::Sharded => ConnectionError::Moved,
        }
    }

    fn refused(&mut self, error: &[u8]) -> Result<(), ConnectionError> {
        let code = &*code(error);
        self.metrics.error(code);
        if NotRun::of(error) == Some(NotRun::Moved) {
            return Err(ConnectionError::Moved);
        }
        if self.names.pubsub() == PubSub::Sharded && says(error, "unknown command") {
            return Err(ConnectionError::NotSharded);
        }
        match self.table.refused(Cause::of(code), code, Instant::now())? {
            Refusal::Channel(channel) => {
                self.metrics.subscriptions_forbidden.inc();
                tracing::error!(%channel, "the ACL of Redis forbids this node to subscribe: {code}");
            }
            Refusal::Batch => {}
            Refusal::Postponed(command) => self.say_postponed(command, code),
            Refusal::Info { settles } => {
                if is_configuration(code) && !std::mem::replace(&mut self.progress.unchecked, true) {
                    tracing::warn!(
                        "Redis answers {code} to CLIENT INFO: its subscriptions cannot be checked; {}",
                        advice(code, "client|info")
                    );
                }
                self.settled(settles);
            }
            Refusal::Connection(command) => {
                return Err(ConnectionError::Refused(code.to_owned(), self.names.pubsub().word(command)));
            }
        }
        Ok(())
    }

    /// Says that a command is tried again, where that was not said last.
    fn say_postponed(&mut self, command: &'static str, code: &str) {
        let command = self.names.pubsub().word(command);
        let said = Some((command, code.to_owned()));
        if self.progress.postponed != said {
            tracing::warn!(
                "Redis answers {code} to {command}: it is tried again, and all other subscriptions stand; {}",
                advice(code, &format!("the command {}", command.to_lowercase()))
            );
            self.progress.postponed = said;
        }
    }

    /// Redis answered the check behind the subscriptions. `is_all`: behind all that were confirmed before.
    fn settled(&mut self, is_all: bool) {
        if is_all {
            self.links.up(&self.links.subscriber);
            self.progress.outage.settled(Instant::now());
            self.look_whether_restored();
        }
    }
}
