//! A shard's timing wheel: the sessions of which something is due, by second.
//!
//! Invariants
//! - No session has a timer. A receive stores one small integer, and a session is looked at only when something of it
//!   is due.
//! - The shard's clock counts turns, not time: while the node is frozen or starved it stands still, and every deadline
//!   moves with it.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use fanfare_core::{Disconnect, Heartbeat, SessionId};
use parking_lot::Mutex;

use crate::session::{last_activity::LastActivity, state::Session};

/// How far ahead the wheel reaches, in seconds. A session that is due later is looked at then, and put in again.
const SLOTS: usize = 64;

/// Stands for the next ping in a beat that looks only whether a token has expired.
const NEVER: u32 = u32::MAX;

/// Stands for the next ping in a beat that looks only whether the client has connected.
const CONNECTS: u32 = u32::MAX - 1;

/// A shard's sessions by the second in which something of them is due.
pub(crate) struct Wheel {
    now: AtomicU32,
    slots: Mutex<[Vec<Beat>; SLOTS]>,
}

/// The heartbeat of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) session: SessionId,
    /// The second of the next ping.
    pub(crate) ping_at: u32,
    /// The second of a ping without an answer; 0: every ping was answered. In a beat that looks whether the client has
    /// connected, the second by which it has to.
    pinged: u32,
}

/// The next action for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing until this second.
    Wait(u32),
    /// A ping, then nothing until this second.
    Ping(u32),
    /// The end of the session.
    End(Disconnect),
}

impl Default for Wheel {
    fn default() -> Self {
        // 0 stands for "not pinged".
        Self { now: AtomicU32::new(1), slots: Mutex::new(std::array::from_fn(|_| Vec::new())) }
    }
}

impl Wheel {
    pub(crate) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// Adds a session. Its first ping is at random within the interval, so that a storm of connections does not become
    /// a storm of pings.
    pub(crate) fn add(&self, session: &Session) {
        let Heartbeat { ping_interval, idle_timeout, .. } = &session.kind.heartbeat;
        let ping_at = self.now() + rand::random_range(1..=seconds(*ping_interval).max(1));
        let due = match seconds(*idle_timeout) {
            0 => ping_at,
            timeout => ping_at.min(self.now() + timeout),
        };
        let beat = Beat { session: session.id, ping_at, pinged: 0 };
        self.put(beat, self.no_later_than_expiry(session, due));
    }

    /// `due`, or sooner where the client's token, or that of a subscription, expires before.
    pub(crate) fn no_later_than_expiry(&self, session: &Session, due: u32) -> u32 {
        let expiry = session.due_in().map_or(u32::MAX, |left| self.now().saturating_add(seconds(left) + 1));
        due.min(expiry)
    }

    /// Looks at a session when its client's new token, or that of a subscription, expires. A later end than the wheel reaches is seen by the
    /// session's own beat.
    pub(crate) fn expires(&self, session: &Session) {
        let beat = Beat { session: session.id, ping_at: NEVER, pinged: 0 };
        self.put(beat, self.no_later_than_expiry(session, u32::MAX));
    }

    /// Looks whether a session's client has connected once it has had its time.
    pub(crate) fn awaits_connect(&self, session: &Session, time: Duration) {
        let by = self.now() + seconds(time).max(1);
        self.put(Beat { session: session.id, ping_at: CONNECTS, pinged: by }, by);
    }

    pub(crate) fn put(&self, beat: Beat, due: u32) {
        let mut slots = self.slots.lock();
        let now = self.now();
        let ahead = (due.saturating_sub(now) as usize).clamp(1, SLOTS - 1);
        if let Some(slot) = slots.get_mut((now as usize + ahead) % SLOTS) {
            slot.push(beat);
        }
    }

    /// Begins the next second, and returns the beats that are due in it. Under the lock, as [`Wheel::put`] is: else a
    /// beat for this second could come into its slot too late, and be due a whole round of the wheel later.
    pub(crate) fn turn(&self) -> Vec<Beat> {
        let mut slots = self.slots.lock();
        let now = self.now.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        slots.get_mut(now as usize % SLOTS).map(std::mem::take).unwrap_or_default()
    }
}

impl Beat {
    /// Whether this beat looks only whether the session's token has expired.
    pub(crate) fn is_for_expiry(&self) -> bool {
        self.ping_at == NEVER
    }

    /// The second by which the session's client has to connect, where this beat looks for that.
    pub(crate) fn connects_by(&self) -> Option<u32> {
        (self.ping_at == CONNECTS).then_some(self.pinged)
    }

    /// The verdict on the session with this `last_activity`.
    pub(crate) fn judge(&mut self, now: u32, last_activity: &LastActivity, heartbeat: &Heartbeat) -> Verdict {
        let idle_timeout = seconds(heartbeat.idle_timeout);
        let idle_at = match idle_timeout {
            0 => u32::MAX,
            timeout => last_activity.message_at().saturating_add(timeout),
        };
        if now >= idle_at {
            return Verdict::End(Disconnect::Idle);
        }
        if self.pinged != 0 && last_activity.heard_at() < self.pinged {
            let given_up_at = self.pinged + seconds(heartbeat.pong_timeout);
            if now >= given_up_at {
                return Verdict::End(Disconnect::NoPong);
            }
            return Verdict::Wait(given_up_at.min(idle_at));
        }
        self.pinged = 0;
        if now < self.ping_at {
            return Verdict::Wait(self.ping_at.min(idle_at));
        }
        self.pinged = now;
        self.ping_at = now + seconds(heartbeat.ping_interval).max(1);
        Verdict::Ping((now + seconds(heartbeat.pong_timeout)).min(idle_at))
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX / 4)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const HEARTBEAT: Heartbeat = Heartbeat {
        ping_interval: Duration::from_secs(25),
        pong_timeout: Duration::from_secs(10),
        idle_timeout: Duration::ZERO,
    };

    fn beat(ping_at: u32) -> Beat {
        Beat { session: SessionId(1), ping_at, pinged: 0 }
    }

    #[test]
    fn a_client_that_answers_is_pinged_each_interval() {
        let (last_activity, mut beat) = (LastActivity::new(1), beat(5));
        assert_eq!(beat.judge(4, &last_activity, &HEARTBEAT), Verdict::Wait(5));
        assert_eq!(beat.judge(5, &last_activity, &HEARTBEAT), Verdict::Ping(15));
        last_activity.heard(6);
        assert_eq!(beat.judge(15, &last_activity, &HEARTBEAT), Verdict::Wait(30));
        assert_eq!(beat.judge(30, &last_activity, &HEARTBEAT), Verdict::Ping(40));
    }

    #[test]
    fn a_silent_client_is_given_up() {
        let (last_activity, mut beat) = (LastActivity::new(1), beat(5));
        assert_eq!(beat.judge(5, &last_activity, &HEARTBEAT), Verdict::Ping(15));
        assert_eq!(beat.judge(14, &last_activity, &HEARTBEAT), Verdict::Wait(15));
        assert_eq!(beat.judge(15, &last_activity, &HEARTBEAT), Verdict::End(Disconnect::NoPong));
    }

    #[test]
    fn pings_do_not_keep_an_idle_session() {
        let heartbeat = Heartbeat { idle_timeout: Duration::from_secs(20), ..HEARTBEAT };
        let (last_activity, mut beat) = (LastActivity::new(1), beat(5));
        assert_eq!(beat.judge(5, &last_activity, &heartbeat), Verdict::Ping(15));
        last_activity.heard(6);
        assert_eq!(beat.judge(15, &last_activity, &heartbeat), Verdict::Wait(21));
        last_activity.message(16);
        assert_eq!(beat.judge(21, &last_activity, &heartbeat), Verdict::Wait(30));
        assert_eq!(beat.judge(36, &last_activity, &heartbeat), Verdict::End(Disconnect::Idle));
    }

    #[test]
    fn a_beat_comes_up_in_its_second() {
        let wheel = Wheel::default();
        wheel.put(beat(3), 3);
        wheel.put(beat(500), 500);
        assert!(wheel.turn().is_empty(), "second 2");
        assert_eq!(wheel.turn(), [beat(3)]);
        let mut seen = 0;
        while wheel.now() < 500 {
            for beat in wheel.turn() {
                seen += 1;
                if wheel.now() < beat.ping_at {
                    wheel.put(beat, beat.ping_at);
                }
            }
        }
        assert!(seen >= 500 / SLOTS, "the beat was looked at on the way");
        assert!(wheel.turn().is_empty(), "the beat came up at 500, and only there");
    }

    #[test]
    fn a_beat_put_during_a_turn_comes_up() {
        const BEATS: usize = 2_000;
        let wheel = Wheel::default();
        // How many beats came up, and until which second.
        let (came, turned) = (AtomicUsize::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while came.load(Ordering::Relaxed) < BEATS {
                    came.fetch_add(wheel.turn().len(), Ordering::Relaxed);
                    turned.store(wheel.now(), Ordering::Release);
                    // On a busy machine the other one would wait long for the lock.
                    std::thread::yield_now();
                }
            });
            for put in 1..=BEATS {
                wheel.put(beat(0), 0);
                let next = wheel.now() + 1;
                while turned.load(Ordering::Acquire) < next {
                    std::thread::yield_now();
                }
                if came.load(Ordering::Relaxed) < put {
                    // Lets the other thread end.
                    came.store(BEATS, Ordering::Relaxed);
                    panic!("beat {put} did not come up");
                }
            }
        });
    }
}
