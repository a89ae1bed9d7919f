//! One clock for all processes of a run: the kernel's monotonic clock.

use std::{io, os::fd::AsFd as _, time::Duration};

use nix::{
    sys::{
        time::{TimeSpec, TimeValLike as _},
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
    time::clock_gettime,
};
use serde::{Deserialize, Serialize};
use tokio::net::unix::pipe;

/// Nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment(pub u64);

impl Moment {
    /// The current moment; 0 on a machine without the clock, which Linux always has.
    #[must_use]
    pub fn now() -> Self {
        let now =
            clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap_or_else(|_| TimeSpec::nanoseconds(0));
        Self(u64::try_from(now.num_nanoseconds()).unwrap_or_default())
    }

    /// The time from `earlier` until this moment; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment that is `span` after this one.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

/// The nanoseconds of a span, at most `u64::MAX`.
#[must_use]
pub fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// A random part of a span.
#[must_use]
pub fn random_below(span: Duration) -> Duration {
    span.mul_f64(rand::random_range(0.0..1.0))
}

/// A timer with an error of some microseconds. The runtime's own timers have milliseconds only, and would turn evenly
/// spaced messages into bursts.
#[derive(Debug)]
pub struct Alarm {
    timer: TimerFd,
    /// The timer's own descriptor again, because a timer's descriptor is read like a pipe.
    expired: pipe::Receiver,
}

impl Alarm {
    /// An alarm on this runtime.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new() -> anyhow::Result<Self> {
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let expired = pipe::Receiver::from_owned_fd_unchecked(timer.as_fd().try_clone_to_owned()?)?;
        Ok(Self { timer, expired })
    }

    /// Waits until the moment. Returns at once for a past moment.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn until(&self, moment: Moment) -> anyhow::Result<()> {
        if Moment::now() >= moment {
            return Ok(());
        }
        let at = TimeSpec::nanoseconds(i64::try_from(moment.0)?);
        self.timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
        let mut expirations = [0; 8];
        loop {
            self.expired.readable().await?;
            match self.expired.try_read(&mut expirations) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_never_wakes_early() {
        let alarm = Alarm::new().unwrap();
        for span in [0, 50, 3_000].map(Duration::from_micros) {
            let due = Moment::now().after(span);
            alarm.until(due).await.unwrap();
            assert!(Moment::now() >= due);
        }
        alarm.until(Moment(0)).await.unwrap();
    }
}
