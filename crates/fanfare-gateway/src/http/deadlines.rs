//! The deadlines of an HTTP connection.
//!
//! Invariants
//! - Each wait for a client has a deadline: for its next request, for the rest of a header, until it reads, and for the
//!   bytes that it still sends behind its last answer. Handlers have their own deadlines for the body of a request.
//! - The node waits longer for a next request than it announces.
//! - Once the node ends, a client that does not read, or still sends, has [`LAST_WORDS`].

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// How much longer than announced the node waits for a next request, which may be on its way.
const SLACK: Duration = Duration::from_secs(2);

/// How long a client may read nothing of its answer.
const STALL: Duration = Duration::from_secs(20);

/// How long a client may send behind its last answer, how long it may be silent meanwhile, and how many bytes are read.
/// The answer itself may have to wait for that: many clients read only once all is sent.
const REST_TIME: Duration = Duration::from_secs(30);
const REST_SILENCE: Duration = Duration::from_secs(5);
const REST_BYTES: u64 = 64 << 20;

/// How long a client has to read, or to stop sending, once the node ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a client that was accepted may take for its next step towards a request, once the node ends.
pub(crate) const LAST_CHANCE: Duration = Duration::from_millis(100);

/// Ends this long after the shutdown began.
pub(crate) async fn after(shutdown: &CancellationToken, time: Duration) {
    shutdown.cancelled().await;
    sleep(time).await;
}

/// Serves a connection. Once the shutdown began, its client has a last chance, and `finish` lets it end in good order.
pub(super) async fn until_the_end<C: Future + Unpin>(
    connection: &mut C,
    shutdown: &CancellationToken,
    finish: impl FnOnce(Pin<&mut C>),
) -> C::Output {
    tokio::select! {
        // A client that has asked is answered, also at the end.
        biased;
        served = &mut *connection => return served,
        () = after(shutdown, LAST_CHANCE) => {}
    }
    finish(Pin::new(connection));
    connection.await
}

/// The wait whose deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// For a next request.
    Request,
    /// For the rest of a header.
    Header,
    /// Until the client reads.
    Reader,
    /// For the end of what the client sends behind the last answer.
    Rest,
}

/// The times that the configuration sets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// For a header, from its first byte on; for the first header from the connection on.
    pub(crate) header: Duration,
    /// For a next request, as announced.
    pub(crate) keep_alive: Duration,
}

/// See the head of this file.
pub(crate) struct Deadlines {
    times: Times,
    ending: CancellationToken,
    step: Mutex<Step>,
    /// Whether bytes may come at any time (HTTP/2), and say nothing of a next request.
    is_multiplexed: AtomicBool,
}

struct Step {
    awaits: Awaits,
    since: Instant,
    /// Since when the client takes nothing of the answer.
    stalled: Option<Instant>,
    /// When the end of the node was noticed.
    ends: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Request,
    Header,
    /// The node's own answer.
    Answer,
    Rest {
        heard: Instant,
        bytes: u64,
    },
}

impl Deadlines {
    /// The deadlines of a connection that waits for its first header; `ending` says that the node ends.
    pub(crate) fn new(times: Times, ending: CancellationToken) -> Self {
        let step = Step { awaits: Awaits::Header, since: Instant::now(), stalled: None, ends: None };
        Self { times, ending, step: Mutex::new(step), is_multiplexed: AtomicBool::new(false) }
    }

    /// The client speaks HTTP/2 from now on. It has its time for a first request.
    pub(super) fn multiplexes(&self) {
        self.is_multiplexed.store(true, Ordering::Relaxed);
        self.answered();
    }

    /// A request is here, or a last answer is about to be written.
    pub(crate) fn answers(&self) {
        self.step.lock().now_awaits(Awaits::Answer);
    }

    /// The request is answered. The client has its time for the next one from the last byte of the answer on.
    pub(crate) fn answered(&self) {
        self.step.lock().now_awaits(Awaits::Request);
    }

    /// Bytes of a request came.
    pub(crate) fn came(&self) {
        let mut step = self.step.lock();
        if step.awaits == Awaits::Request && !self.is_multiplexed.load(Ordering::Relaxed) {
            step.now_awaits(Awaits::Header);
        }
    }

    /// Nothing more is written, and all further bytes are discarded.
    pub(crate) fn finished(&self) {
        let now = Instant::now();
        let mut step = self.step.lock();
        step.now_awaits(Awaits::Rest { heard: now, bytes: 0 });
        step.stalled = None;
    }

    /// This many bytes were discarded. Whether more may be.
    pub(crate) fn discarded(&self, came: usize) -> bool {
        let mut step = self.step.lock();
        let Awaits::Rest { bytes, .. } = step.awaits else { return false };
        let bytes = bytes + came as u64;
        step.awaits = Awaits::Rest { heard: Instant::now(), bytes };
        bytes < REST_BYTES
    }

    /// The client took a part of the answer.
    pub(crate) fn wrote(&self) {
        let mut step = self.step.lock();
        step.stalled = None;
        step.since = Instant::now();
    }

    /// The answer is written.
    pub(crate) fn flushed(&self) {
        if self.step.lock().stalled.is_some() {
            self.wrote();
        }
    }

    /// The client takes nothing more for the moment.
    pub(crate) fn stalls(&self) {
        self.step.lock().stalled.get_or_insert_with(Instant::now);
    }

    /// Whether the client takes nothing of the answer at the moment.
    pub(super) fn is_stalled(&self) -> bool {
        self.step.lock().stalled.is_some()
    }

    /// Ends when a deadline has passed. The task that moves the bytes polls it, behind the bytes.
    pub(crate) async fn overdue(&self) -> Late {
        let mut timer = pin!(sleep_until(Instant::now()));
        let mut ending = pin!(self.ending.cancelled());
        poll_fn(|cx| {
            let ends = ending.as_mut().poll(cx).is_ready();
            let Some((deadline, late)) = self.deadline(ends) else { return std::task::Poll::Pending };
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            timer.as_mut().poll(cx).map(|()| late)
        })
        .await
    }

    fn deadline(&self, ends: bool) -> Option<(Instant, Late)> {
        let mut step = self.step.lock();
        if ends {
            step.ends.get_or_insert_with(Instant::now);
        }
        let last_words = |begun: Instant| step.ends.map(|ends| ends.max(begun) + LAST_WORDS);
        let (deadline, last, late) = match (step.awaits, step.stalled) {
            (Awaits::Rest { heard, .. }, _) => {
                let deadline = (step.since + REST_TIME).min(heard + REST_SILENCE);
                (deadline, last_words(step.since), Late::Rest)
            }
            (_, Some(stalled)) => (stalled + STALL, last_words(stalled), Late::Reader),
            (Awaits::Request, None) => (step.since + self.times.keep_alive + SLACK, None, Late::Request),
            (Awaits::Header, None) => (step.since + self.times.header, None, Late::Header),
            (Awaits::Answer, None) => return None,
        };
        Some((last.map_or(deadline, |last| last.min(deadline)), late))
    }
}

impl Step {
    /// Changes what is waited for; not behind the end.
    fn now_awaits(&mut self, awaits: Awaits) {
        if !matches!(self.awaits, Awaits::Rest { .. }) {
            self.awaits = awaits;
            self.since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times { header: Duration::from_secs(5), keep_alive: Duration::from_secs(75) };

    fn deadlines() -> (Deadlines, CancellationToken) {
        let ending = CancellationToken::new();
        (Deadlines::new(TIMES, ending.clone()), ending)
    }

    /// The first deadline that passes if nothing happens, and after how many seconds.
    async fn late(deadlines: &Deadlines) -> (Late, u64) {
        let begun = Instant::now();
        (deadlines.overdue().await, begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_own_deadline() {
        let (deadlines, _ending) = deadlines();
        assert_eq!(late(&deadlines).await, (Late::Header, 5));
        deadlines.answers();
        deadlines.answered();
        assert_eq!(late(&deadlines).await, (Late::Request, 77));
        deadlines.came();
        assert_eq!(late(&deadlines).await, (Late::Header, 5));
        deadlines.stalls();
        assert_eq!(late(&deadlines).await, (Late::Reader, 20));
        deadlines.finished();
        assert_eq!(late(&deadlines).await, (Late::Rest, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_wait_begins_behind_the_last_byte() {
        let (deadlines, _ending) = deadlines();
        deadlines.answers();
        deadlines.answered();
        for _ in 0..10 {
            deadlines.stalls();
            tokio::time::sleep(STALL / 2).await;
            deadlines.wrote();
        }
        assert_eq!(late(&deadlines).await, (Late::Request, 77));
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_has_no_deadline() {
        let (deadlines, _ending) = deadlines();
        deadlines.answers();
        assert!(tokio::time::timeout(REST_TIME * 100, deadlines.overdue()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_or_endless_rest_is_bounded() {
        let (deadlines, _ending) = deadlines();
        deadlines.finished();
        let dripping = async {
            loop {
                tokio::time::sleep(REST_SILENCE / 2).await;
                assert!(deadlines.discarded(1));
            }
        };
        let begun = Instant::now();
        tokio::select! {
            late = deadlines.overdue() => assert_eq!(late, Late::Rest),
            () = dripping => {}
        }
        assert_eq!(begun.elapsed(), REST_TIME);
        assert!(!deadlines.discarded(REST_BYTES as usize));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_node_shortens_deadlines() {
        let (deadlines, ending) = deadlines();
        ending.cancel();
        assert_eq!(late(&deadlines).await, (Late::Header, 5));
        deadlines.stalls();
        assert_eq!(late(&deadlines).await, (Late::Reader, 1));
        deadlines.finished();
        assert_eq!(late(&deadlines).await, (Late::Rest, 1));
    }
}
