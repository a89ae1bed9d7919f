//! The ends of connections that Redis did not take yet.
//!
//! Invariant: at most [`MAX_EVENTS`] wait here. The oldest give way, and are counted.

use std::collections::VecDeque;

use fanfare_core::outbox::{ConnectionEnd, MAX_EVENTS};
use parking_lot::Mutex;
use prometheus::IntCounter;
use redis::Pipeline;

use super::entry::DISCONNECTED;
use crate::redis::names::Names;

/// The ends of one pipeline.
const BATCH: usize = 500;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Ends {
    waiting: Mutex<VecDeque<ConnectionEnd>>,
    dropped: IntCounter,
}

impl Ends {
    pub(crate) fn new(dropped: IntCounter) -> Self {
        Self { waiting: Mutex::default(), dropped }
    }

    pub(super) fn push(&self, end: ConnectionEnd) {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= MAX_EVENTS {
            waiting.pop_front();
            self.dropped.inc();
        }
        waiting.push_back(end);
    }

    /// The oldest, which stay until [`Ends::written`]; `None` where none waits.
    pub(crate) fn oldest(&self) -> Option<Vec<ConnectionEnd>> {
        let waiting = self.waiting.lock();
        (!waiting.is_empty()).then(|| waiting.iter().take(BATCH).cloned().collect())
    }

    /// The oldest were written.
    pub(crate) fn written(&self, ends: &[ConnectionEnd]) {
        let mut waiting = self.waiting.lock();
        for end in ends {
            // Some may have given way meanwhile.
            waiting.pop_front_if(|oldest| oldest == end);
        }
    }
}

/// Appends ends to the outbox. The answer is the number of events that fell off it.
pub(crate) fn append(ends: &[ConnectionEnd], names: &Names) -> Pipeline {
    let (mut pipeline, events) = (redis::pipe(), names.events());
    for ConnectionEnd { client, user, code, reason } in ends {
        let add = pipeline.cmd("XADD").arg(&events).arg("*").arg("e").arg(DISCONNECTED);
        add.arg("m").arg(client.to_string()).arg("u").arg(user).arg("r").arg(reason);
        if let Some(code) = code {
            add.arg("d").arg(*code);
        }
        pipeline.ignore();
    }
    pipeline.cmd("XTRIM").arg(events).arg("MAXLEN").arg(MAX_EVENTS);
    pipeline
}

#[cfg(test)]
mod tests {
    use fanfare_core::{ClientId, Incarnation, SessionId};

    use super::*;

    #[test]
    fn ends_stay_until_they_are_written() {
        let ends = Ends::new(IntCounter::new("dropped", "dropped").unwrap());
        let end = |session| ConnectionEnd {
            client: ClientId { node: Incarnation(1), session: SessionId(session) },
            user: String::new(),
            code: None,
            reason: "lost".into(),
        };
        (0..=MAX_EVENTS as u64).for_each(|session| ends.push(end(session)));
        assert_eq!(ends.dropped.get(), 1, "the oldest gave way");
        let oldest = ends.oldest().unwrap();
        assert_eq!(oldest.first(), Some(&end(1)));
        assert_eq!(ends.oldest().as_ref(), Some(&oldest));
        ends.push(end(1 << 40));
        ends.written(&oldest);
        assert_eq!(ends.oldest().unwrap().first(), Some(&end(BATCH as u64 + 1)));
    }
}
