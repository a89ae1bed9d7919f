//! What waits to be published, what was written, and what becomes of it. No I/O, no clock.
//!
//! Invariants:
//! - Items are written in the order they came, and answered in that order.
//! - An item of which no byte was written when a connection ended waits for the next one; an item of which one
//!   was, is never written again.
//! - Of a lane's items, after the first that failed, none is written.
//! - At most [`MAX_UNANSWERED`] items or [`MAX_UNANSWERED_BYTES`] are written and unanswered, so that what a
//!   dying connection leaves in doubt is bounded; one item always may.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::{Buf, BytesMut};
use tokio::time::Instant;

use super::{
    connection::{ConnectionError, code},
    outgoing::{Outgoing, What, Writer},
    resp::{Malformed, Value},
};
use crate::metrics::Metrics;

const MAX_UNANSWERED: usize = 1024;
const MAX_UNANSWERED_BYTES: u64 = 256 << 10;

/// The publisher's queue and what is under way.
#[derive(Debug)]
pub(crate) struct Pipeline {
    writer: Writer,
    metrics: Arc<Metrics>,
    /// How long an item may wait.
    patience: Duration,
    /// Not encoded yet.
    waiting: VecDeque<Outgoing>,
    /// Encoded, each with the place in the stream of commands where it begins.
    under_way: VecDeque<(u64, Outgoing)>,
    /// Encoded and not written.
    out: BytesMut,
    /// How much of the stream was encoded; the last `out.len()` bytes of it are not written.
    encoded: u64,
}

impl Pipeline {
    pub(crate) fn new(writer: Writer, metrics: Arc<Metrics>, patience: Duration) -> Self {
        Self {
            writer,
            metrics,
            patience,
            waiting: VecDeque::new(),
            under_way: VecDeque::new(),
            out: BytesMut::new(),
            encoded: 0,
        }
    }

    /// Takes one more item.
    pub(crate) fn push(&mut self, item: Outgoing) {
        self.waiting.push_back(item);
    }

    /// Whether everything is answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }

    /// When the first item that waits has waited too long.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.front().map(|item| item.since + self.patience)
    }

    /// What to write next.
    pub(crate) fn unwritten(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    /// Encodes what may be written now, in envelope `version`.
    pub(crate) fn fill(&mut self, version: u8) {
        if self.waiting.is_empty() || !self.may_encode() {
            return;
        }
        let (now, clock) = (Instant::now(), SystemTime::now());
        let clock = clock.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        while self.may_encode()
            && let Some(item) = self.waiting.pop_front()
        {
            let Some(item) = refuse_if_lane_failed(item) else { continue };
            let time = clock.saturating_sub(now.saturating_duration_since(item.since)).as_micros();
            let before = self.out.len();
            self.writer.write(&item, version, u64::try_from(time).unwrap_or(u64::MAX), &mut self.out);
            self.under_way.push_back((self.encoded, item));
            self.encoded += (self.out.len() - before) as u64;
        }
    }

    /// Redis answered the first item under way.
    ///
    /// # Errors
    /// Where the connection is of no more use.
    pub(crate) fn answered(&mut self, answer: &Value) -> Result<(), ConnectionError> {
        let Some((_, item)) = self.under_way.pop_front() else {
            return Err(Malformed("an answer that nobody waits for").into());
        };
        match answer {
            Value::Int(_) => {
                if let What::Publication { ticket, .. } = item.what {
                    ticket.taken();
                }
                Ok(())
            }
            Value::Error(error) => {
                let code = code(error);
                self.refuse(item, &format!("Redis answers {code}"));
                // What of its lane is encoded and not written must not be: encode it anew, or not.
                self.take_back();
                self.refuse_failed_lanes();
                match code.as_str() {
                    // A demoted master takes no writes; its subscribers are elsewhere.
                    "READONLY" => Err(ConnectionError::Refused(code, "PUBLISH")),
                    _ => Ok(()),
                }
            }
            _ => {
                self.doubt(item);
                Err(Malformed("no number in answer to PUBLISH").into())
            }
        }
    }

    /// The connection ended: what was written is in doubt, what was not waits on.
    pub(crate) fn disconnected(&mut self) {
        self.take_back();
        while let Some((_, item)) = self.under_way.pop_front() {
            self.doubt(item);
        }
        self.out.clear();
        self.refuse_failed_lanes();
    }

    /// Refuses what has waited too long.
    pub(crate) fn expire(&mut self, now: Instant, why: &str) {
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            if let Some(item) = self.waiting.pop_front() {
                self.refuse(item, &format!("it waited {} ms: {why}", self.patience.as_millis()));
            }
        }
    }

    fn may_encode(&self) -> bool {
        let Some((first, _)) = self.under_way.front() else { return true };
        self.under_way.len() < MAX_UNANSWERED && self.encoded - first < MAX_UNANSWERED_BYTES
    }

    /// Lets every item of which no byte was written wait again.
    fn take_back(&mut self) {
        let written = self.encoded - self.out.remaining() as u64;
        while let Some((begins, item)) = self.under_way.pop_back_if(|(begins, _)| *begins >= written) {
            self.out.truncate(usize::try_from(begins - written).unwrap_or_default());
            self.encoded = begins;
            self.waiting.push_front(item);
        }
    }

    fn refuse_failed_lanes(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting = waiting.into_iter().filter_map(refuse_if_lane_failed).collect();
    }

    fn refuse(&self, item: Outgoing, why: &str) {
        match item.what {
            What::Publication { ticket, .. } => ticket.refuse(why),
            What::Control { .. } => {
                self.metrics.controls_dropped.inc();
                tracing::warn!("a control message was not sent: {why}");
            }
        }
    }

    /// Its outcome is unknown: a ticket says so when it is dropped.
    fn doubt(&self, item: Outgoing) {
        match item.what {
            What::Publication { mut ticket, .. } => ticket.written = true,
            What::Control { .. } => self.metrics.controls_dropped.inc(),
        }
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
            ticket.refuse("an earlier message of this publisher failed");
            None
        }
        what => Some(Outgoing { what, ..item }),
    }
}

#[cfg(test)]
mod tests;
