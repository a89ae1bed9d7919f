//! One clock for all processes of a run: the kernel's monotonic one, which they share.

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
    /// Now; 0 on a machine without the clock, which Linux always has.
    #[must_use]
    pub fn now() -> Self {
        let now =
            clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap_or_else(|_| TimeSpec::nanoseconds(0));
        Self(u64::try_from(now.num_nanoseconds()).unwrap_or_default())
    }

    /// What passed from `earlier` until this moment: nothing where that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// So long after this moment.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

/// In nanoseconds, as far as they go.
#[must_use]
pub fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Wakes at a moment, within some microseconds: the runtime's own timers know milliseconds only, and would send in
/// bursts what is due evenly.
#[derive(Debug)]
pub struct Alarm {
    timer: TimerFd,
    /// The timer's own descriptor again: tokio's readers take any that is read like a pipe, as a timer's is.
    expired: pipe::Receiver,
}

impl Alarm {
    /// An alarm of this runtime's.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new() -> anyhow::Result<Self> {
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let expired = pipe::Receiver::from_owned_fd_unchecked(timer.as_fd().try_clone_to_owned()?)?;
        Ok(Self { timer, expired })
    }

    /// Ends at the moment, at once where that is past.
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
    async fn an_alarm_never_wakes_early_and_what_is_past_does_not_wait() {
        let alarm = Alarm::new().unwrap();
        for span in [0, 50, 3_000].map(Duration::from_micros) {
            let due = Moment::now().after(span);
            alarm.until(due).await.unwrap();
            assert!(Moment::now() >= due);
        }
        alarm.until(Moment(0)).await.unwrap();
    }
}
