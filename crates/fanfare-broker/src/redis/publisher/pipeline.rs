//! The messages that wait or were written, and their answers. No I/O, no clock.
//!
//! Invariants:
//! - Items are answered in the order in which they were written. While all of them may be written at once, that is the
//!   order in which they came. Past that it is the order of their turns ([`FairQueue`]). The items of one publish order
//!   always keep the order in which they came.
//! - An item of which no byte was written when a connection ended waits for the next connection. An item of which a
//!   byte was written is never written again.
//! - After the first item of a publish order that failed, no further one is written.
//! - An item of which no byte was written waits for [`Pipeline::patience`] at most, whatever Redis does, if the caller
//!   asks for expired items in each of its turns.
//! - The cost of an answer depends on the items under way, not on those that wait.
//! - At most [`MAX_UNANSWERED`] items or [`MAX_UNANSWERED_BYTES`] are written and unanswered, so that few outcomes are
//!   unknown when a connection ends. One item may always be written.
//! - A round (the heartbeat, the time, the canary) is written ahead of the items that wait, however many are
//!   unanswered: so it measures Redis and not the queue. It is forgotten with its connection. The caller begins no
//!   round before the last one is answered, so a frozen Redis holds one.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::{Buf, BytesMut};
use fanfare_core::{Taken, broker::PublishOrder};
use tokio::time::Instant;

use super::{
    outgoing::{Outgoing, OutgoingMessage},
    under_way::{Answered, Due, Written},
    writer::Writer,
};
use crate::{
    fair_queue::{FairQueue, Waiting},
    redis::{
        clock::offset,
        connection::{
            code::{DEMOTED, code, forbids_channel},
            error::ConnectionError,
            resp::{Malformed, Value},
        },
        metrics::RedisMetrics,
    },
    ticket::ORDER_FAILED,
};

const MAX_UNANSWERED: usize = 1024;
const MAX_UNANSWERED_BYTES: u64 = 256 << 10;
/// The least time that an encoded item has from when it was handed over until its first byte is written.
const MIN_UNWRITTEN: Duration = Duration::from_secs(1);
const NO_NUMBER: Malformed = Malformed("no number in answer to PUBLISH");

/// The publisher's queue, and the commands under way.
#[derive(Debug)]
pub(crate) struct Pipeline {
    writer: Writer,
    metrics: Arc<RedisMetrics>,
    /// How long an item may wait.
    patience: Duration,
    /// Items that are not encoded yet, in the order in which they came. Written ahead of the backlog.
    next: VecDeque<Outgoing>,
    /// Items that came while more waited than may be written.
    backlog: FairQueue<Outgoing>,
    /// Encoded commands, each with the place in the stream of commands where it begins.
    under_way: VecDeque<(u64, Written)>,
    /// The commands of a round that are to be written.
    due: Due,
    /// Whether items have to wait, however few are under way.
    held: bool,
    /// Bytes that are encoded and not written.
    out: BytesMut,
    /// The number of bytes that were encoded. The last `out.len()` of them are not written.
    encoded: u64,
}

impl Pipeline {
    pub(crate) fn new(writer: Writer, metrics: Arc<RedisMetrics>, patience: Duration) -> Self {
        Self {
            writer,
            metrics,
            patience,
            next: VecDeque::new(),
            backlog: FairQueue::default(),
            under_way: VecDeque::new(),
            due: Due::default(),
            held: false,
            out: BytesMut::new(),
            encoded: 0,
        }
    }

    /// Takes one more item.
    pub(crate) fn push(&mut self, item: Outgoing) {
        if self.backlog.is_empty() {
            self.next.push_back(item);
        } else {
            self.backlog.push(item);
        }
    }

    /// Whether every item is answered.
    pub(crate) fn is_empty(&self) -> bool {
        let is_item = |(_, written): &(u64, Written)| matches!(written, Written::Item(..));
        self.next.is_empty() && self.backlog.is_empty() && !self.under_way.iter().any(is_item)
    }

    /// The number of commands that wait to be written or answered.
    pub(crate) fn depth(&self) -> usize {
        self.next.len() + self.backlog.len() + self.under_way.len()
    }

    /// Begins a round: a heartbeat, the time, and the canary of this number.
    pub(crate) fn begin_round(&mut self, round: u64) {
        self.due = Due { heartbeat: true, time: true, canary: Some(round) };
    }

    /// Lets items wait, or no more. The outcome of an item that is written to a silent Redis may become unknown.
    pub(crate) fn hold(&mut self, hold: bool) {
        self.held = hold;
    }

    /// Whether items have to wait.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// When the first item of which no byte was written will have waited too long.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        let next = self.next.front().map(|item| item.since);
        let waiting = [next, self.backlog.oldest()].into_iter().flatten().min();
        let waiting = waiting.map(|since| since + self.patience);
        [waiting, self.unwritten_deadline()].into_iter().flatten().min()
    }

    /// The bytes to write next.
    pub(crate) fn unwritten(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    /// Encodes the commands that may be written now, in envelope `version`.
    pub(crate) fn fill(&mut self, version: u8) {
        if std::mem::take(&mut self.due.heartbeat) {
            self.encode(Written::Heartbeat, |writer, _, out| writer.heartbeat(out));
        }
        if std::mem::take(&mut self.due.time) {
            self.encode(Written::Time(Instant::now()), |_, _, out| Writer::time(out));
        }
        if let Some(round) = self.due.canary.take() {
            self.encode(Written::Canary(round), |writer, _, out| writer.canary(round, out));
        }
        if self.under_way.len() + self.next.len() > MAX_UNANSWERED {
            self.take_turns();
        }
        if self.may_encode() {
            self.fill_items(version);
        }
        self.take_turns();
    }

    /// Moves items that may not be written into the backlog, which they leave by turns. Where the backlog is not empty,
    /// the next ones were taken back, and stay in front.
    fn take_turns(&mut self) {
        if self.backlog.is_empty() {
            self.next.drain(..).for_each(|item| self.backlog.push(item));
        }
    }

    fn fill_items(&mut self, version: u8) {
        let stamps = self.writer.stamps();
        while self.may_encode()
            && let Some(item) = self.next.pop_front().or_else(|| self.backlog.pop())
        {
            let Some(item) = refuse_if_order_failed(item) else { continue };
            let sequence = self.writer.sequence + 1;
            self.encode(Written::Item(item, sequence), |writer, written, out| {
                if let Written::Item(item, _) = written {
                    writer.write(item, version, stamps, out);
                }
            });
        }
    }

    fn encode(&mut self, written: Written, write: impl FnOnce(&mut Writer, &Written, &mut BytesMut)) {
        let before = self.out.len();
        write(&mut self.writer, &written, &mut self.out);
        self.under_way.push_back((self.encoded, written));
        self.encoded += (self.out.len() - before) as u64;
    }

    /// Redis answered the first command that is under way.
    ///
    /// # Errors
    /// Where the connection cannot be used any more.
    pub(crate) fn answered(&mut self, answer: &Value) -> Result<Answered, ConnectionError> {
        let Some((_, written)) = self.under_way.pop_front() else {
            return Err(Malformed("an answer without a command").into());
        };
        self.metrics.sent(written.kind());
        if let Value::Error(error) = answer {
            self.metrics.error(&code(error));
        }
        match (written, answer) {
            (Written::Item(item, sequence), answer) => self.item_answered(item, sequence, answer),
            (Written::Heartbeat, Value::Error(error)) if code(error) == DEMOTED => {
                Err(ConnectionError::Demoted)
            }
            (Written::Heartbeat, Value::Error(error)) => Ok(Answered::Heartbeat(Some(code(error)))),
            (Written::Heartbeat, _) => Ok(Answered::Heartbeat(None)),
            (Written::Time(asked), answer) => Ok(Answered::Time(asked, time(answer))),
            (Written::Canary(round), Value::Int(receivers)) => Ok(Answered::Canary(round, Ok(*receivers))),
            (Written::Canary(round), Value::Error(error)) => Ok(Answered::Canary(round, Err(code(error)))),
            (Written::Canary(_), _) => Err(NO_NUMBER.into()),
        }
    }

    fn item_answered(
        &mut self,
        item: Outgoing,
        sequence: u64,
        answer: &Value,
    ) -> Result<Answered, ConnectionError> {
        match answer {
            Value::Int(receivers) => {
                let since = item.since;
                let OutgoingMessage::Publication { channel, ticket, .. } = item.message else {
                    return Ok(Answered::Item);
                };
                self.writer.last_taken.took(&channel, sequence);
                ticket.taken(Taken::default());
                Ok(if *receivers == 0 { Answered::Unheard(channel, since) } else { Answered::Item })
            }
            Value::Error(error) => {
                let code = code(error);
                let why = format!("Redis answers {code}");
                match item.message {
                    OutgoingMessage::Publication { ticket, .. } if forbids_channel(error) => {
                        ticket.forbid(why)
                    }
                    message => self.refuse(Outgoing { message, ..item }, &why),
                }
                // Encoded items of its publish order must not be written: all are encoded anew, except those. Items
                // that wait are looked at when their turn comes.
                self.take_back();
                if code == DEMOTED { Err(ConnectionError::Demoted) } else { Ok(Answered::Item) }
            }
            _ => {
                self.outcome_unknown(item);
                Err(NO_NUMBER.into())
            }
        }
    }

    /// The connection ended. The outcome of written items is unknown; the others wait on.
    pub(crate) fn disconnected(&mut self) {
        self.take_back();
        self.due = Due::default();
        while let Some((_, written)) = self.under_way.pop_front() {
            self.metrics.sent(written.kind());
            if let Written::Item(item, _) = written {
                self.outcome_unknown(item);
            }
        }
        self.out.clear();
        self.refuse_failed_orders();
    }

    /// Refuses the items that have waited too long, and of which no byte was written.
    pub(crate) fn expire(&mut self, now: Instant, why: &str) {
        if self.unwritten_deadline().is_some_and(|deadline| deadline <= now) {
            self.take_back();
        }
        let Some(since) = now.checked_sub(self.patience) else { return };
        while let Some(item) =
            self.next.pop_front_if(|item| item.since <= since).or_else(|| self.backlog.pop_older(since))
        {
            self.refuse(item, &format!("it waited {} ms: {why}", self.patience.as_millis()));
        }
    }

    fn may_encode(&self) -> bool {
        if self.held {
            return false;
        }
        let Some((first, _)) = self.under_way.front() else { return true };
        self.under_way.len() < MAX_UNANSWERED && self.encoded - first < MAX_UNANSWERED_BYTES
    }

    /// The number of bytes that were written.
    fn written(&self) -> u64 {
        self.encoded - self.out.remaining() as u64
    }

    /// When the first encoded item of which no byte was written will have waited too long.
    fn unwritten_deadline(&self) -> Option<Instant> {
        let written = self.written();
        let unwritten = self.under_way.iter().rev().take_while(|(begins, _)| *begins >= written);
        let since = |(_, written): &(u64, Written)| match written {
            Written::Item(item, _) => Some(item.since),
            _ => None,
        };
        unwritten.filter_map(since).min().map(|since| since + self.patience.max(MIN_UNWRITTEN))
    }

    /// Lets every item of which no byte was written wait again.
    fn take_back(&mut self) {
        let written = self.written();
        let mut items = Vec::new();
        while let Some((begins, taken)) = self.under_way.pop_back_if(|(begins, _)| *begins >= written) {
            self.out.truncate(usize::try_from(begins - written).unwrap_or_default());
            self.encoded = begins;
            match taken {
                Written::Item(item, _) => items.push(item),
                Written::Heartbeat => self.due.heartbeat = true,
                Written::Time(_) => self.due.time = true,
                Written::Canary(round) => self.due.canary = Some(round),
            }
        }
        // They left by turns. All of them came before the next ones, and get back into the order in which they came.
        items.sort_by_key(|item| std::cmp::Reverse(item.since));
        items.into_iter().for_each(|item| self.next.push_front(item));
    }

    fn refuse_failed_orders(&mut self) {
        let next = std::mem::take(&mut self.next);
        self.next = next.into_iter().filter_map(refuse_if_order_failed).collect();
        let has_failed = |item: &Outgoing| item.order().is_some_and(PublishOrder::has_failed);
        for item in self.backlog.take_if(has_failed) {
            self.refuse(item, ORDER_FAILED);
        }
    }

    fn refuse(&self, item: Outgoing, why: &str) {
        match item.message {
            OutgoingMessage::Publication { ticket, .. } => ticket.refuse(why),
            OutgoingMessage::Control { .. } => {
                self.metrics.broker.controls_refused.inc();
                tracing::warn!("a control message was not sent: {why}");
            }
        }
    }

    /// Its outcome is unknown. A ticket says so when it is dropped.
    fn outcome_unknown(&self, item: Outgoing) {
        match item.message {
            OutgoingMessage::Publication { mut ticket, .. } => ticket.written = true,
            OutgoingMessage::Control { .. } => self.metrics.broker.controls_refused.inc(),
        }
    }
}

/// The answer to `TIME`, or the code word of an error.
fn time(answer: &Value) -> Result<u64, String> {
    match answer {
        Value::Error(error) => Err(code(error)),
        answer => offset::time(answer).ok_or_else(|| "something else".to_owned()),
    }
}

impl Drop for Pipeline {
    /// The outcome of written items is unknown, whichever way the node ends.
    fn drop(&mut self) {
        self.disconnected();
    }
}

fn refuse_if_order_failed(item: Outgoing) -> Option<Outgoing> {
    match item.message {
        OutgoingMessage::Publication { ticket, .. } if ticket.order_failed() => {
            ticket.refuse(ORDER_FAILED);
            None
        }
        message => Some(Outgoing { message, ..item }),
    }
}

#[cfg(test)]
mod tests;
