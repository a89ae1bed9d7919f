//! The messages that wait or were written, and their answers. No I/O, no clock.
//!
//! Invariants:
//! - Items are answered in the order in which they were written. While all of them may be written at once, that is the
//!   order in which they came. Past that it is the order of their turns ([`FairQueue`]). The items of one publish order
//!   always keep the order in which they came.
//! - An item of which no byte was written when a connection ended waits for the next connection. An item of which a
//!   byte was written is written again, ahead of those that wait, if the script recognises it ([`Replays`]) and the next
//!   connection leads to the same run of Redis. Otherwise its outcome is unknown.
//! - Items that Redis did not run because it lost the script are written again, behind the script, before any other.
//! - Items that a Cluster did not run, since their slot is elsewhere or under way, are written again in their order
//!   ([`Course`]).
//! - After the first item of a publish order that failed, no further one is written, but those that may have run.
//! - An item of which no byte was written waits for [`Pipeline::patience`] at most, whatever Redis does, if the caller
//!   asks for expired items in each of its turns.
//! - The cost of an answer depends on the items under way, not on those that wait.
//! - At most [`MAX_UNANSWERED`] items or [`MAX_UNANSWERED_BYTES`] are written and unanswered, so that few outcomes are
//!   unknown when a connection ends. One item may always be written.
//! - A round (the heartbeat, the time, the canary) is written ahead of the items that wait, however many are
//!   unanswered: so it measures Redis and not the queue. It is forgotten with its connection. The caller begins no
//!   round before the last one is answered, so a frozen Redis holds one.

use std::{borrow::Cow, collections::VecDeque, sync::Arc, time::Duration};

use bytes::{Buf, BytesMut};
use tokio::time::Instant;

use super::{
    course::Course,
    outgoing::Outgoing,
    replays::Replays,
    under_way::{Attempt, Due, Written},
    writer::Writer,
};
use crate::{
    fair_queue::{FairQueue, Turns},
    liveness::split::Run,
    redis::{connection::code::advice, metrics::RedisMetrics},
};

const MAX_UNANSWERED: usize = 1024;
const MAX_UNANSWERED_BYTES: u64 = 256 << 10;
/// The least time that an encoded item has from when it was handed over until its first byte is written.
const MIN_UNWRITTEN: Duration = Duration::from_secs(1);

/// The publisher's queue, and the commands under way.
#[derive(Debug)]
pub(crate) struct Pipeline {
    writer: Writer,
    metrics: Arc<RedisMetrics>,
    /// How long an item may wait.
    patience: Duration,
    /// Items that are written again, ahead of `next`.
    replays: Replays,
    /// Whether Redis lost the script: nothing is encoded until all that is under way is answered.
    stalled: bool,
    course: Course,
    /// Items that are not encoded yet, in the order in which they came. Written ahead of the backlog.
    next: VecDeque<Box<Outgoing>>,
    /// Items that came while more waited than may be written.
    backlog: FairQueue<Box<Outgoing>>,
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
    pub(crate) fn new(writer: Writer, metrics: Arc<RedisMetrics>, patience: Duration, turns: Turns) -> Self {
        Self {
            writer,
            metrics,
            patience,
            replays: Replays::default(),
            stalled: false,
            course: Course::default(),
            next: VecDeque::new(),
            backlog: FairQueue::beside(turns),
            under_way: VecDeque::new(),
            due: Due::default(),
            held: false,
            out: BytesMut::new(),
            encoded: 0,
        }
    }

    /// Takes one more item.
    pub(crate) fn push(&mut self, item: Box<Outgoing>) {
        if self.backlog.is_empty() {
            self.next.push_back(item);
        } else {
            self.backlog.push(item);
        }
    }

    /// Whether every item is answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.nothing_waits() && !self.has_items_under_way()
    }

    /// Whether every item was encoded.
    fn nothing_waits(&self) -> bool {
        self.next.is_empty() && self.backlog.is_empty() && self.replays.is_empty()
    }

    fn has_items_under_way(&self) -> bool {
        self.under_way.iter().any(|(_, written)| matches!(written, Written::Item(_)))
    }

    /// The number of commands that wait to be written or answered.
    pub(crate) fn depth(&self) -> usize {
        self.replays.len() + self.next.len() + self.backlog.len() + self.under_way.len()
    }

    /// Begins a round: a heartbeat, the time, and the canary of this number.
    pub(crate) fn begin_round(&mut self, round: u64) {
        self.due = Due { heartbeat: true, extension: false, time: true, canary: Some(round) };
    }

    /// Lets items wait, or no more. The outcome of an item that is written to a silent Redis may become unknown.
    pub(crate) fn hold(&mut self, hold: bool) {
        self.held = hold;
    }

    /// Whether items have to wait.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// Another node of the Cluster has the partition. Nothing more is written to this connection.
    pub(crate) fn leave(&mut self, now: Instant) {
        self.course.leave(now);
        self.take_back();
    }

    /// Whether the connection can be left: all that was written is answered, or the old node does not answer.
    pub(crate) fn has_left(&self, now: Instant) -> bool {
        self.course.has_left(self.under_way.is_empty(), now)
    }

    /// Why items wait.
    pub(crate) fn trouble(&self) -> Cow<'static, str> {
        match self.course.refused() {
            Some(code) => format!("Redis answers {code}: {}", advice(code, "")).into(),
            None if self.course.leaves() => "another node of the Cluster has the partition".into(),
            None => "Redis does not keep up".into(),
        }
    }

    /// When the first item of which no byte was written will have waited too long.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        let next = self.next.front().map(|item| item.since);
        let waiting = [next, self.backlog.oldest()].into_iter().flatten().min();
        let waiting = waiting.map(|since| since + self.patience);
        let replays = self.replays.next_deadline(self.patience);
        [waiting, self.unwritten_deadline(), replays, self.course.deadline()].into_iter().flatten().min()
    }

    /// The bytes to write next.
    pub(crate) fn unwritten(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    /// Whether there is nothing to encode, to write or to expire. Each publish has a turn that only takes an answer.
    pub(crate) fn rests(&self) -> bool {
        self.nothing_waits() && self.out.is_empty() && self.due.is_empty() && self.course.deadline().is_none()
    }

    /// Encodes the commands that may be written now, in envelope `version`.
    pub(crate) fn fill(&mut self, version: u8) {
        if self.course.leaves() {
            return self.take_turns();
        }
        if std::mem::take(&mut self.due.heartbeat) {
            self.encode(Written::Heartbeat, |writer, _, out| writer.heartbeat(out));
        }
        if std::mem::take(&mut self.due.extension) {
            self.encode(Written::Extension, |writer, _, out| writer.extension(out));
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
        self.stalled = self.stalled && self.has_items_under_way();
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
            && let Some(attempt) = self.next_attempt()
        {
            if attempt.item.needs_script() && self.writer.script.is_due() {
                self.encode(Written::Script, |writer, _, out| writer.script.load(out));
            }
            self.encode(Written::Item(attempt), |writer, written, out| {
                if let Written::Item(attempt) = written {
                    // The sequence of a replay is of an earlier clock.
                    let stamps = Some(stamps).filter(|_| !attempt.may_have_run);
                    writer.write(&attempt.item, attempt.sequence, version, stamps, out);
                }
            });
        }
    }

    /// The next item to write.
    fn next_attempt(&mut self) -> Option<Attempt> {
        while let Some(attempt) = self.replays.pop() {
            if attempt.may_have_run {
                self.metrics.replays.inc();
                return Some(attempt);
            }
            if let Some(item) = Self::refuse_if_order_failed(attempt.item) {
                return Some(Attempt { sequence: self.writer.next_sequence(&item), item, ..attempt });
            }
        }
        while let Some(item) = self.next.pop_front().or_else(|| self.backlog.pop()) {
            if let Some(item) = Self::refuse_if_order_failed(item) {
                let sequence = self.writer.next_sequence(&item);
                return Some(Attempt::first(item, sequence));
            }
        }
        None
    }

    fn encode(&mut self, written: Written, write: impl FnOnce(&mut Writer, &Written, &mut BytesMut)) {
        let before = self.out.len();
        write(&mut self.writer, &written, &mut self.out);
        self.under_way.push_back((self.encoded, written));
        self.encoded += (self.out.len() - before) as u64;
    }

    /// There is a new connection, to this run of Redis: the same as before, or another, which does not know what ran. Its
    /// era is the epoch of the Sentinels' configuration, where there are Sentinels.
    pub(crate) fn connected(&mut self, run: Option<&Run>, era: Option<u64>, is_same_run: bool) {
        self.writer.script.arrived(run, era);
        if !is_same_run {
            self.replays.forget_run();
        }
    }

    /// The connection ended. Written items are written again where the script recognises them, and the outcome of others
    /// is unknown. An item without a written byte waits on.
    pub(crate) fn disconnected(&mut self) {
        self.take_back();
        self.due = Due::default();
        self.writer.script.lost();
        self.stalled = false;
        self.course = Course::default();
        while let Some((_, written)) = self.under_way.pop_front() {
            self.metrics.sent(written.kind());
            match written {
                Written::Item(attempt) if attempt.item.needs_script() => {
                    self.replays.insert(Attempt { may_have_run: true, ..attempt });
                }
                Written::Item(attempt) => self.outcome_unknown(*attempt.item),
                _ => {}
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
        while let Some(Attempt { item, may_have_run, .. }) = self.replays.pop_expired(now, self.patience) {
            if may_have_run {
                self.outcome_unknown(*item);
            } else {
                self.refuse(*item, &self.waited(why));
            }
        }
        let Some(since) = now.checked_sub(self.patience) else { return };
        while let Some(item) =
            self.next.pop_front_if(|item| item.since <= since).or_else(|| self.backlog.pop_older(since))
        {
            self.refuse(*item, &self.waited(why));
        }
    }

    fn may_encode(&mut self) -> bool {
        let under_way = &self.under_way;
        let is_answered = || !under_way.iter().any(|(_, written)| matches!(written, Written::Item(_)));
        if self.held || self.stalled || !self.course.may_write(is_answered, Instant::now) {
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
        let deadline = |(_, written): &(u64, Written)| match written {
            Written::Item(attempt) => Some(attempt.deadline(self.patience.max(MIN_UNWRITTEN))),
            _ => None,
        };
        unwritten.filter_map(deadline).min()
    }

    /// Lets every item of which no byte was written wait again.
    fn take_back(&mut self) {
        let written = self.written();
        let mut items = Vec::new();
        while let Some((begins, taken)) = self.under_way.pop_back_if(|(begins, _)| *begins >= written) {
            self.out.truncate(usize::try_from(begins - written).unwrap_or_default());
            self.encoded = begins;
            match taken {
                Written::Item(attempt) if attempt.is_repeated() => self.replays.insert(attempt),
                Written::Item(attempt) => items.push(attempt.item),
                Written::Script => self.writer.script.lost(),
                Written::Heartbeat => self.due.heartbeat = true,
                Written::Extension => self.due.extension = true,
                Written::Time(_) => self.due.time = true,
                Written::Canary(round) => self.due.canary = Some(round),
            }
        }
        // They left by turns. All of them came before the next ones, and get back into the order in which they came.
        items.sort_by_key(|item| std::cmp::Reverse(item.since));
        items.into_iter().for_each(|item| self.next.push_front(item));
    }
}

impl Drop for Pipeline {
    /// The outcome of written items is unknown, whichever way the node ends.
    fn drop(&mut self) {
        self.disconnected();
    }
}

mod answers;
mod refusals;
#[cfg(test)]
mod tests;
