//! Which clients are asked for a sign of life, and which are given up.
//!
//! Invariants
//! - One wheel a shard, one turn a second; no session has a timer. A receive stores one small integer, and a session
//!   is looked at only when something of it is due.
//! - The shard's clock counts turns, not time: while the node is frozen or starved it stands still, and every
//!   deadline moves with it. Nobody is judged for what the node missed; a turn that comes late is none, so that what
//!   clients said meanwhile is read before they are judged.
//! - Anything read from a client is a sign of life, and so is a full socket that takes bytes again.
//! - A client that this node does not read at the moment, by its own choice, is not judged: it may have answered, and
//!   may have said something.
//! - A session whose client's token ended is over, by the wall clock, within a second or two.
//! - A session that has no transport at the moment is not asked, and not judged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fanfare_core::{Disconnect, Heartbeat, SessionId};
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    delivery::shard::Shard,
    hub::Hub,
    session::{incomplete, state::Session},
    upkeep::slow,
};

/// How far ahead the wheel reaches, in seconds. What is due later is looked at then, and put in again.
const SLOTS: usize = 64;

/// A turn that comes later than this finds a node that was frozen or starved.
const LATE: Duration = Duration::from_secs(1);

/// Looks between which other tasks get their turn.
const LOOKS_PER_TURN: usize = 256;

/// Later than any second: what stands for when a client was heard while it is not read.
const UNREAD: u32 = u32::MAX;

/// When something was last seen of a session, by its shard's clock.
#[derive(Debug)]
pub struct LastActivity {
    heard: AtomicU32,
    message: AtomicU32,
}

impl LastActivity {
    pub(crate) fn new(now: u32) -> Self {
        Self { heard: AtomicU32::new(now), message: AtomicU32::new(now) }
    }

    pub(crate) fn heard(&self, now: u32) {
        self.heard.store(now, Ordering::Relaxed);
    }

    /// The client's socket takes bytes again.
    pub(crate) fn took(&self, now: u32) {
        let before = self.heard.load(Ordering::Relaxed);
        if before != UNREAD {
            // Else its reader was faster, and knows better.
            let _ = self.heard.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// From now on the client is not read, until [`LastActivity::read`].
    pub(crate) fn unread(&self) {
        self.heard.store(UNREAD, Ordering::Relaxed);
    }

    /// The client is read again: as if it had said something in this moment, for it may have meanwhile.
    pub(crate) fn read(&self, now: u32) {
        self.message(now);
        self.heard(now);
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.heard.load(Ordering::Relaxed) == UNREAD
    }

    pub(crate) fn message(&self, now: u32) {
        self.message.store(now, Ordering::Relaxed);
    }
}

/// A shard's sessions by the second in which something of them is due.
pub struct Wheel {
    now: AtomicU32,
    slots: Mutex<[Vec<Beat>; SLOTS]>,
}

/// What is under way with one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Beat {
    session: SessionId,
    /// When it is pinged next.
    ping_at: u32,
    /// When it was pinged without an answer so far; 0: it was not.
    pinged: u32,
}

/// What is to be done about a session.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// Nothing until then.
    Wait(u32),
    /// Ping it, then nothing until then.
    Ping(u32),
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

    /// Adds a session. Its first ping is at random within the interval, so that a storm of connections is none of
    /// pings.
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

    /// `due`, or sooner where the client's token ends before.
    fn no_later_than_expiry(&self, session: &Session, due: u32) -> u32 {
        let expiry =
            session.expires_in().map_or(u32::MAX, |left| self.now().saturating_add(seconds(left) + 1));
        due.min(expiry)
    }

    fn put(&self, beat: Beat, due: u32) {
        let mut slots = self.slots.lock();
        let now = self.now();
        let ahead = (due.saturating_sub(now) as usize).clamp(1, SLOTS - 1);
        if let Some(slot) = slots.get_mut((now as usize + ahead) % SLOTS) {
            slot.push(beat);
        }
    }

    /// The next second begins; what is due in it. Under the lock, as the putting is: else what is put for it could
    /// come into its slot behind this, and be due a whole turn of the wheel later.
    fn turn(&self) -> Vec<Beat> {
        let mut slots = self.slots.lock();
        let now = self.now.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        slots.get_mut(now as usize % SLOTS).map(std::mem::take).unwrap_or_default()
    }
}

impl Beat {
    /// What is to be done about a session of which `last_activity` were seen.
    fn judge(&mut self, now: u32, last_activity: &LastActivity, heartbeat: &Heartbeat) -> Verdict {
        let idle_timeout = seconds(heartbeat.idle_timeout);
        let idle_at = match idle_timeout {
            0 => u32::MAX,
            timeout => last_activity.message.load(Ordering::Relaxed).saturating_add(timeout),
        };
        if now >= idle_at {
            return Verdict::End(Disconnect::Idle);
        }
        if self.pinged != 0 && last_activity.heard.load(Ordering::Relaxed) < self.pinged {
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

/// Turns one shard's wheel for as long as the node lives.
pub(crate) async fn run(hub: Arc<Hub>, shard: Arc<Shard>) {
    let mut second = interval(Duration::from_secs(1));
    // A turn that comes late is one turn, not many.
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    second.tick().await;
    loop {
        let is_late = second.tick().await.elapsed() > LATE;
        shard.progress.wheel();
        shard.wake();
        if is_late {
            continue;
        }
        for (count, beat) in shard.wheel.turn().into_iter().enumerate() {
            look(&hub, &shard, beat);
            if count % LOOKS_PER_TURN == LOOKS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        incomplete::turn(&hub, &shard);
        slow::turn(&hub, &shard).await;
    }
}

fn look(hub: &Arc<Hub>, shard: &Shard, mut beat: Beat) {
    let Some(session) = shard.session(beat.session) else { return };
    let now = shard.now();
    if session.last_activity.is_unread() {
        session.last_activity.message(now);
    } else if !session.outbound.is_attached() {
        // Nobody to ask: as if it had just been heard and pinged.
        session.last_activity.heard(now);
        beat.ping_at = beat.ping_at.max(now + 1);
    }
    if session.expires_in() == Some(Duration::ZERO) {
        return hub.end(&session, &Disconnect::Expired);
    }
    let due = match beat.judge(now, &session.last_activity, &session.kind.heartbeat) {
        Verdict::Wait(due) => due,
        Verdict::Ping(due) => {
            hub.ping(&session);
            due
        }
        // Behind its answers, for it may have published as long ago.
        Verdict::End(Disconnect::Idle) => return hub.end_later(session, Disconnect::Idle),
        Verdict::End(disconnect) => {
            return match hub.leaving.get() {
                Some(goodbye) => hub.end_later(session, goodbye.clone()),
                None => hub.end(&session, &disconnect),
            };
        }
    };
    shard.wheel.put(beat, shard.wheel.no_later_than_expiry(&session, due));
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
    fn a_client_without_a_sign_of_life_is_given_up_after_the_timeout_and_not_before() {
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
    fn what_is_due_comes_up_in_its_second_however_far_ahead() {
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
        assert!(seen >= 500 / SLOTS, "it was looked at on the way");
        assert!(wheel.turn().is_empty(), "it came up at 500, and only there");
    }

    #[test]
    fn what_is_put_while_the_wheel_turns_comes_up_with_the_next_turn() {
        const BEATS: usize = 2_000;
        let wheel = Wheel::default();
        // How many came up until which second.
        let (came, turned) = (AtomicUsize::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while came.load(Ordering::Relaxed) < BEATS {
                    came.fetch_add(wheel.turn().len(), Ordering::Relaxed);
                    turned.store(wheel.now(), Ordering::Release);
                }
            });
            for put in 1..=BEATS {
                wheel.put(beat(0), 0);
                let next = wheel.now() + 1;
                while turned.load(Ordering::Acquire) < next {
                    std::thread::yield_now();
                }
                if came.load(Ordering::Relaxed) < put {
                    // Lets the other end.
                    came.store(BEATS, Ordering::Relaxed);
                    panic!("beat {put} did not come up");
                }
            }
        });
    }
}
