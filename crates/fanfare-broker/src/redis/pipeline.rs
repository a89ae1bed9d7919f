//! What waits to be published, what was written, and what becomes of it. No I/O, no clock.
//!
//! Invariants:
//! - Items are answered in the order they were written. While all that waits may be written, that is the order they
//!   came; past that it is their turn ([`Fair`]). The items of one publish order stay in the order they came.
//! - An item of which no byte was written when a connection ended waits for the next one; an item of which one
//!   was, is never written again.
//! - Of the items of one publish order, after the first that failed, none is written.
//! - An item of which no byte was written waits for [`Pipeline::patience`] at most, whatever Redis does, as long as
//!   its caller asks for what expired in each of its turns.
//! - An answer costs what is under way at most, however much waits.
//! - At most [`MAX_UNANSWERED`] items or [`MAX_UNANSWERED_BYTES`] are written and unanswered, so that what a
//!   dying connection leaves in doubt is bounded; one item always may.
//! - A round (the heartbeat, the time, the canary) is written ahead of what waits, whatever is unanswered, so that it
//!   measures Redis and not the queue. It is forgotten with its connection. Its caller begins no round before the last
//!   is answered, so a frozen Redis holds one.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::{Buf, BytesMut};
use fanfare_core::{Channel, broker::PublishOrder};
use tokio::time::Instant;

use super::{
    clock,
    code::{DEMOTED, code, forbids_channel},
    connection::ConnectionError,
    outgoing::{Outgoing, What, Writer},
    resp::{Malformed, Value},
};
use crate::{
    fair::{Fair, Waiting},
    metrics::Metrics,
    redis::metrics::Kind,
    ticket::LANE_FAILED,
};

const MAX_UNANSWERED: usize = 1024;
const MAX_UNANSWERED_BYTES: u64 = 256 << 10;
/// So long, at least, an item has from when it was handed over until its first byte is written, once it is encoded.
const MIN_UNWRITTEN: Duration = Duration::from_secs(1);
const NO_NUMBER: Malformed = Malformed("no number in answer to PUBLISH");

/// The publisher's queue and what is under way.
#[derive(Debug)]
pub(crate) struct Pipeline {
    writer: Writer,
    metrics: Arc<Metrics>,
    /// How long an item may wait.
    patience: Duration,
    /// Not encoded yet, and written ahead of the backlog: in the order they came.
    next: VecDeque<Outgoing>,
    /// What came while there was more than may be written.
    backlog: Fair<Outgoing>,
    /// Encoded, each with the place in the stream of commands where it begins.
    under_way: VecDeque<(u64, Written)>,
    /// What of a round is to be written.
    due: Due,
    /// Whether items wait, however few are under way.
    held: bool,
    /// Encoded and not written.
    out: BytesMut,
    /// How much of the stream was encoded; the last `out.len()` bytes of it are not written.
    encoded: u64,
}

/// What an answer is waited for.
#[derive(Debug)]
enum Written {
    /// And the sequence it was written with, where it is a publication.
    Item(Outgoing, u64),
    Heartbeat,
    /// Since when.
    Time(Instant),
    Canary(u64),
}

impl Written {
    fn kind(&self) -> Kind {
        match self {
            Self::Item(Outgoing { what: What::Publication { .. }, .. }, _) => Kind::Publish,
            Self::Item(Outgoing { what: What::Control { .. }, .. }, _) => Kind::Control,
            Self::Heartbeat => Kind::Heartbeat,
            Self::Time(_) => Kind::Time,
            Self::Canary(_) => Kind::Canary,
        }
    }
}

#[derive(Debug, Default)]
struct Due {
    heartbeat: bool,
    time: bool,
    canary: Option<u64>,
}

/// What an answer of Redis was about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// An item, which knows.
    Item,
    /// A publication, handed over at that time, which reached nobody.
    Unheard(Channel, Instant),
    /// The heartbeat; the code word of the error, if it was one.
    Heartbeat(Option<String>),
    /// What time it is, in microseconds since 1970, asked then; or what was answered instead.
    Time(Instant, Result<u64, String>),
    /// A round of the canary: how many it reached, or the code word of an error.
    Canary(u64, Result<i64, String>),
}

impl Pipeline {
    pub(crate) fn new(writer: Writer, metrics: Arc<Metrics>, patience: Duration) -> Self {
        Self {
            writer,
            metrics,
            patience,
            next: VecDeque::new(),
            backlog: Fair::default(),
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

    /// How many commands wait to be written or answered.
    pub(crate) fn depth(&self) -> usize {
        self.next.len() + self.backlog.len() + self.under_way.len()
    }

    /// Begins a round: a heartbeat, the time, and the canary of this number.
    pub(crate) fn beat(&mut self, round: u64) {
        self.due = Due { heartbeat: true, time: true, canary: Some(round) };
    }

    /// Lets items wait, or no more: what is written to a Redis that answers nothing may only become unknown.
    pub(crate) fn hold(&mut self, hold: bool) {
        self.held = hold;
    }

    /// Whether items are let wait.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// When the first item of which no byte was written has waited too long.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        let next = self.next.front().map(|item| item.since);
        let waiting = [next, self.backlog.oldest()].into_iter().flatten().min();
        let waiting = waiting.map(|since| since + self.patience);
        [waiting, self.unwritten_deadline()].into_iter().flatten().min()
    }

    /// What to write next.
    pub(crate) fn unwritten(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    /// Encodes what may be written now, in envelope `version`.
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

    /// What does not fit leaves by turns. Where some wait for theirs, what is next was taken back, and stays in front.
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
            let Some(item) = refuse_if_lane_failed(item) else { continue };
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

    /// Redis answered the first that is under way.
    ///
    /// # Errors
    /// Where the connection is of no more use.
    pub(crate) fn answered(&mut self, answer: &Value) -> Result<Answered, ConnectionError> {
        let Some((_, written)) = self.under_way.pop_front() else {
            return Err(Malformed("an answer that nobody waits for").into());
        };
        self.metrics.redis.sent(written.kind());
        if let Value::Error(error) = answer {
            self.metrics.redis.error(&code(error));
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
                let What::Publication { channel, ticket, .. } = item.what else { return Ok(Answered::Item) };
                self.writer.sent.took(&channel, sequence);
                ticket.taken();
                Ok(if *receivers == 0 { Answered::Unheard(channel, since) } else { Answered::Item })
            }
            Value::Error(error) => {
                let code = code(error);
                let why = format!("Redis answers {code}");
                match item.what {
                    What::Publication { ticket, .. } if forbids_channel(error) => ticket.forbid(why),
                    what => self.refuse(Outgoing { what, ..item }, &why),
                }
                // What of its publish order is encoded and not written must not be: encode it anew, or not. What waits is
                // looked at when its turn comes.
                self.take_back();
                if code == DEMOTED { Err(ConnectionError::Demoted) } else { Ok(Answered::Item) }
            }
            _ => {
                self.doubt(item);
                Err(NO_NUMBER.into())
            }
        }
    }

    /// The connection ended: what was written is in doubt, what was not waits on.
    pub(crate) fn disconnected(&mut self) {
        self.take_back();
        self.due = Due::default();
        while let Some((_, written)) = self.under_way.pop_front() {
            self.metrics.redis.sent(written.kind());
            if let Written::Item(item, _) = written {
                self.doubt(item);
            }
        }
        self.out.clear();
        self.refuse_failed_lanes();
    }

    /// Refuses what has waited too long, of which no byte was written.
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

    /// Where in the stream of commands the socket is.
    fn written(&self) -> u64 {
        self.encoded - self.out.remaining() as u64
    }

    /// When the first item that is encoded, and of which no byte was written, has waited too long.
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
        // They left by turns, and are in the order they came again: all of them came before what is next.
        items.sort_by_key(|item| std::cmp::Reverse(item.since));
        items.into_iter().for_each(|item| self.next.push_front(item));
    }

    fn refuse_failed_lanes(&mut self) {
        let next = std::mem::take(&mut self.next);
        self.next = next.into_iter().filter_map(refuse_if_lane_failed).collect();
        let has_failed = |item: &Outgoing| item.order().is_some_and(PublishOrder::has_failed);
        for item in self.backlog.take_if(has_failed) {
            self.refuse(item, LANE_FAILED);
        }
    }

    fn refuse(&self, item: Outgoing, why: &str) {
        match item.what {
            What::Publication { ticket, .. } => ticket.refuse(why),
            What::Control { .. } => {
                self.metrics.controls_refused.inc();
                tracing::warn!("a control message was not sent: {why}");
            }
        }
    }

    /// Its outcome is unknown: a ticket says so when it is dropped.
    fn doubt(&self, item: Outgoing) {
        match item.what {
            What::Publication { mut ticket, .. } => ticket.written = true,
            What::Control { .. } => self.metrics.controls_refused.inc(),
        }
    }
}

/// What `TIME` answered, or the code word of an error.
fn time(answer: &Value) -> Result<u64, String> {
    match answer {
        Value::Error(error) => Err(code(error)),
        answer => clock::time(answer).ok_or_else(|| "something else".to_owned()),
    }
}

impl Drop for Pipeline {
    /// What was written is in doubt, whichever way the node ended.
    fn drop(&mut self) {
        self.disconnected();
    }
}

fn refuse_if_lane_failed(item: Outgoing) -> Option<Outgoing> {
    match item.what {
        What::Publication { ticket, .. } if ticket.lane_failed() => {
            ticket.refuse(LANE_FAILED);
            None
        }
        what => Some(Outgoing { what, ..item }),
    }
}

#[cfg(test)]
mod tests;
