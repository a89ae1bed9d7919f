//! Ends many sessions at a pace, so that their clients do not reconnect in one storm.
//!
//! Invariants
//! - At any moment the pace is the larger of two: the pace asked for, and the pace that ends all sessions in time.
//! - The next session is chosen at random, so that no channel, address or shard loses its clients first.
//! - Each session ends after its publishes are answered, behind its queue ([`Goodbyes::end_after_answers`]).
//! - While a node sends all clients away none is given up for a missing pong: the machine is busy with the others, and
//!   the client would see its connection end without a close frame. It gets the goodbye of the drain.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use fanfare_core::Disconnect;
use prometheus::IntGauge;
use rand::seq::SliceRandom;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use crate::{
    delivery::dispatcher::Dispatcher, ending::goodbye::Goodbyes, metrics::HubMetrics, session::state::Session,
};

/// The time between two turns: short enough that the sessions of one turn are not a storm.
const TURN: Duration = Duration::from_millis(50);

/// How fast sessions are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// At least this many a second.
    pub per_second: u32,
    /// All of them within this time, however many a second that is. Zero: all at once.
    pub within: Duration,
}

impl Pace {
    /// The number of sessions a second while `remaining` are left for the time `left`.
    fn rate(&self, remaining: usize, left: Duration) -> f64 {
        f64::from(self.per_second).max(remaining as f64 / left.as_secs_f64())
    }
}

/// Ends many sessions.
pub struct Drain {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) goodbyes: Arc<Goodbyes>,
    pub(crate) metrics: Arc<HubMetrics>,
    /// The tasks of transports and flushes.
    pub(crate) tasks: TaskTracker,
    /// Why all clients are sent away, since a drain began.
    pub(crate) goodbye: OnceLock<Disconnect>,
}

impl Drain {
    /// Why all clients are sent away, if a drain has begun.
    pub(crate) fn goodbye(&self) -> Option<&Disconnect> {
        self.goodbye.get()
    }

    /// Sends all clients away at a pace, and waits until they are gone. Clients whose handshake was under way are
    /// among them. Each has at most [`Limits::goodbye`](fanfare_core::Limits::goodbye) for its answers, and the same
    /// time again to go.
    pub async fn send_all_away(&self, pace: Pace, disconnect: &Disconnect) {
        // The first drain is the last.
        let _ = self.goodbye.set(disconnect.clone());
        self.end_at_pace(self.dispatcher.sessions(), pace, disconnect).await;
        tokio::select! {
            () = self.all_gone() => {}
            () = self.end_newcomers(disconnect) => {}
        }
    }

    /// Ends once every session is gone, every handshake is over, and every goodbye was sent.
    async fn all_gone(&self) {
        loop {
            self.transports_ended().await;
            if self.dispatcher.sessions().is_empty() {
                return;
            }
            sleep(TURN).await;
        }
    }

    /// Ends once every transport and every flush is over. New ones may come meanwhile, and are waited for too.
    async fn transports_ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Ends every session that was not told to end yet, again and again.
    async fn end_newcomers(&self, disconnect: &Disconnect) {
        let is_told = |session: &Arc<Session>| session.flow().is_some_and(|flow| flow.is_closing());
        loop {
            for session in self.dispatcher.sessions().into_iter().filter(|session| !is_told(session)) {
                self.goodbyes.end_later(session, disconnect.clone());
            }
            sleep(TURN).await;
        }
    }

    /// Ends these sessions at a pace, in random order. Returns once each was told to end: their goodbyes may still be
    /// on the way. Dropped, it ends no more of them.
    ///
    /// Sessions that end by themselves meanwhile cost no time. Several calls may run side by side, over the same
    /// sessions too.
    pub async fn end_at_pace(&self, sessions: Vec<Arc<Session>>, pace: Pace, disconnect: &Disconnect) {
        let end = |session: Arc<Session>| {
            let is_ended = session.has_ended();
            if !is_ended {
                self.goodbyes.end_later(session, disconnect.clone());
            }
            !is_ended
        };
        self.at_pace(sessions, pace, disconnect.name(), end).await;
    }

    /// Hands these sessions, or values that stand for one each, to `tell` at a pace, in random order. It returns whether
    /// the session was told something: else it costs no time.
    pub(crate) async fn at_pace<T>(
        &self,
        mut sessions: Vec<T>,
        pace: Pace,
        reason: &str,
        mut tell: impl FnMut(T) -> bool,
    ) {
        if sessions.is_empty() {
            return;
        }
        let until = Instant::now() + pace.within;
        sessions.shuffle(&mut rand::rng());
        let mut left = Left::new(&self.metrics.closing, sessions.len());
        let (mut turn_began, mut due) = (Instant::now() - TURN, 0.0);
        tracing::info!(
            sessions = sessions.len(),
            per_second = pace.rate(sessions.len(), pace.within).min(sessions.len() as f64).ceil(),
            reason,
            "telling sessions at a pace"
        );
        loop {
            let now = Instant::now();
            let time_left = until.saturating_duration_since(now);
            // A turn that comes late is made up for over the time that is left, not at once.
            let turn = (now - turn_began).min(2 * TURN);
            turn_began = now;
            due += pace.rate(sessions.len(), time_left) * turn.as_secs_f64();
            let is_last = time_left <= TURN;
            while due >= 1.0 || is_last {
                let Some(session) = sessions.pop() else { return };
                left.one_less();
                if tell(session) {
                    due -= 1.0;
                }
            }
            if sessions.is_empty() {
                return;
            }
            sleep(TURN).await;
        }
    }
}

/// Shows the number of sessions that are left, until they are ended or the caller gives up.
struct Left<'a> {
    gauge: &'a IntGauge,
    count: i64,
}

impl<'a> Left<'a> {
    fn new(gauge: &'a IntGauge, count: usize) -> Self {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        gauge.add(count);
        Self { gauge, count }
    }

    fn one_less(&mut self) {
        self.gauge.dec();
        self.count -= 1;
    }
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.gauge.sub(self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_pace_counts() {
        let pace = Pace { per_second: 100, within: Duration::from_secs(20) };
        for (remaining, left, rate) in
            [(0, 20, 100.0), (500, 20, 100.0), (2000, 20, 100.0), (8000, 20, 400.0), (500, 1, 500.0)]
        {
            assert_eq!(pace.rate(remaining, Duration::from_secs(left)), rate, "{remaining} in {left} s");
        }
        assert_eq!(pace.rate(1, Duration::ZERO), f64::INFINITY);
        assert_eq!(pace.rate(0, Duration::ZERO), 100.0);
    }
}
