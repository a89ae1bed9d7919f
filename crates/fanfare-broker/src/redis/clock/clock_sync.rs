//! Sets the clock by the answers to `TIME`.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::offset::Clock;
use crate::redis::{connection::code::advice, metrics::RedisMetrics};

/// Sets the clock, or says that it cannot be set.
#[derive(Debug)]
pub(crate) struct ClockSync {
    clock: Arc<Clock>,
    metrics: Arc<RedisMetrics>,
    /// The last answer of Redis that was not a time.
    refused: Option<String>,
}

impl ClockSync {
    pub(crate) fn new(clock: Arc<Clock>, metrics: Arc<RedisMetrics>) -> Self {
        Self { clock, metrics, refused: None }
    }

    /// There is a new connection.
    pub(crate) fn connected(&self) {
        self.clock.connected();
    }

    /// Redis just answered the question of that time: microseconds since 1970, or a code word instead.
    pub(crate) fn answered(&mut self, asked: Instant, answer: Result<u64, String>) {
        match answer {
            Ok(time) => self.learn(asked, time),
            Err(code) => self.refused(code),
        }
    }

    fn learn(&mut self, asked: Instant, time: u64) {
        self.refused = None;
        let now = Instant::now();
        self.clock.learn(asked, now, time);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Some(redis) = self.clock.at(now).map(Duration::from_micros) {
            self.metrics.clock_offset.set(redis.as_secs_f64() - wall.as_secs_f64());
        }
    }

    fn refused(&mut self, code: String) {
        self.clock.forget();
        self.metrics.clock_offset.set(0.0);
        if self.refused.as_ref() != Some(&code) {
            tracing::warn!(
                "Redis answers {code} to TIME: relay latency is not measured; {}",
                advice(&code, "the command time")
            );
        }
        self.refused = Some(code);
    }
}
