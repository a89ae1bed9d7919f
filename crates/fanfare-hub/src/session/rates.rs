//! The rates at which one connection may send: a bucket of frames and one of bytes, each filled at its rate.
//!
//! Invariants
//! - A bucket holds the tokens of one second; the bucket of bytes holds at least one message. A connection begins with
//!   full buckets.
//! - A client does not pay for a time in which the node did not read (the connection's publications were unanswered, or
//!   the node was frozen): the tokens of that time are added beyond the bucket's size.

use std::time::{Duration, Instant};

use fanfare_core::{Limits, Rate, TokenBucket};

/// The lag of a shard's clock, which counts whole seconds, that does not mean that the node stood still.
const TOLERANCE: Duration = Duration::from_secs(1);

/// The buckets of one connection; a connection without a limit has no `RateLimits`.
#[derive(Debug)]
pub(crate) struct RateLimits {
    /// The moment at which the buckets were filled last, and its second on the shard's clock.
    filled: Instant,
    second: u32,
    /// Whether the node chose not to read since then.
    paused: bool,
    frames: Option<Bucket>,
    bytes: Option<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    per_second: usize,
    size: usize,
    tokens: TokenBucket,
}

impl RateLimits {
    /// Full buckets for the rates that are limited. `second` is the time on the shard's clock.
    pub(crate) fn new(limits: &Limits, second: u32) -> Option<Self> {
        // The bytes on the wire of a message at the limit, compressed or not, in a frame of its own.
        let message = limits.message_bytes + limits.message_bytes / 64 + 128;
        let frames = Bucket::new(limits.frames_per_second, 1);
        let bytes = Bucket::new(limits.bytes_per_second, message);
        if frames.is_none() && bytes.is_none() {
            return None;
        }
        Some(Self { filled: Instant::now(), second, paused: false, frames, bytes })
    }

    /// Counts bytes that were read. `now` and `second` are one moment, on the system's and on the shard's clock.
    ///
    /// # Errors
    /// The bytes exceed the rate.
    pub(crate) fn read(&mut self, bytes: usize, now: Instant, second: u32) -> Result<(), Rate> {
        let passed = now.saturating_duration_since(self.filled);
        let turned = Duration::from_secs(second.saturating_sub(self.second).into());
        let missed =
            if self.paused { passed } else { passed.saturating_sub(turned).saturating_sub(TOLERANCE) };
        for bucket in [&mut self.frames, &mut self.bytes].into_iter().flatten() {
            bucket.fill(passed, missed);
        }
        (self.filled, self.second, self.paused) = (now, second, false);
        self.bytes.as_mut().map_or(Ok(()), |bucket| bucket.take(bytes).map_err(Rate::Bytes))
    }

    /// Counts a frame of the bytes read.
    ///
    /// # Errors
    /// The frame exceeds the rate.
    pub(crate) fn frame(&mut self) -> Result<(), Rate> {
        self.frames.as_mut().map_or(Ok(()), |bucket| bucket.take(1).map_err(Rate::Frames))
    }

    /// From now until the next read the node is the cause of the wait.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }
}

impl Bucket {
    fn new(per_second: usize, least: usize) -> Option<Self> {
        let size = per_second.max(least);
        (per_second > 0).then(|| Self { per_second, size, tokens: TokenBucket::new(size) })
    }

    /// Adds the tokens of the time that passed, up to the bucket's size and the tokens of the time in which the node
    /// did not read.
    fn fill(&mut self, passed: Duration, missed: Duration) {
        let rate = self.per_second as f64;
        let size = self.size as f64 + rate * missed.as_secs_f64();
        // The tokens of an earlier pause stay.
        self.tokens.add(rate * passed.as_secs_f64(), size.max(self.tokens.level()));
    }

    fn take(&mut self, tokens: usize) -> Result<(), usize> {
        if self.tokens.take(tokens) { Ok(()) } else { Err(self.per_second) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(frames: usize, bytes: usize) -> RateLimits {
        let limits = Limits {
            message_bytes: 1000,
            frames_per_second: frames,
            bytes_per_second: bytes,
            ..Limits::default()
        };
        RateLimits::new(&limits, 10).unwrap()
    }

    fn frames(rates: &mut RateLimits) -> usize {
        std::iter::repeat_with(|| rates.frame()).take_while(Result::is_ok).take(10_000).count()
    }

    #[test]
    fn without_a_limit_there_is_nothing() {
        assert!(RateLimits::new(&Limits::default(), 1).is_none());
        let mut only_bytes = rates(0, 5000);
        assert_eq!(frames(&mut only_bytes), 10_000);
    }

    #[test]
    fn a_bucket_holds_the_tokens_of_a_second() {
        let mut rates = rates(100, 0);
        let start = rates.filled;
        assert_eq!(frames(&mut rates), 100);
        assert_eq!(rates.frame(), Err(Rate::Frames(100)));
        for (seconds, brought) in [(1, 100), (2, 100), (60, 100)] {
            rates.read(1, start + Duration::from_secs(seconds), 10 + seconds as u32).unwrap();
            assert_eq!(frames(&mut rates), brought, "after {seconds} s");
        }
        rates.read(1, start + Duration::from_millis(60_250), 70).unwrap();
        assert_eq!(frames(&mut rates), 25);
    }

    #[test]
    fn one_message_always_fits_however_low_the_rate() {
        let mut rates = rates(0, 10);
        let start = rates.filled;
        rates.read(1014, start, 10).unwrap();
        assert_eq!(rates.read(1014, start, 10), Err(Rate::Bytes(10)));
    }

    #[test]
    fn a_client_may_send_while_the_node_pauses() {
        for frozen in [false, true] {
            let mut rates = rates(0, 10_000);
            let start = rates.filled;
            rates.read(10_000, start, 10).unwrap();
            let later = start + Duration::from_secs(21);
            // Unanswered publications paused the connection while the shard's clock went on, or the node stood still.
            let second = if frozen {
                11
            } else {
                rates.pause();
                31
            };
            for _ in 0..19 {
                rates.read(10_000, later, second).unwrap();
            }
            rates.read(30_000, later, second).unwrap_err();
        }
    }

    #[test]
    fn an_idle_client_gets_one_full_bucket() {
        let mut rates = rates(0, 10_000);
        let later = rates.filled + Duration::from_secs(600);
        rates.read(10_000, later, 610).unwrap();
        rates.read(100, later, 610).unwrap_err();
    }
}
