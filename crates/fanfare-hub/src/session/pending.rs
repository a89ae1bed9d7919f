//! The commands of one session that wait for the broker.
//!
//! Invariants
//! - Commands of different channels are carried out at the same time, those of one channel in the order of arrival:
//!   behind a subscribe that waits, the later commands of its channel wait too.
//! - When [`MOST`] commands wait, the session's reader takes no further message.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use fanfare_core::{Channel, Command, CommandError, command::RequestId};
use parking_lot::Mutex;

use crate::session::subscribed::Subscribed;

/// The number of commands that may wait in one session.
pub(crate) const MOST: usize = 128;

/// A subscribe that waits for the broker.
pub(crate) type Attempt = Pin<Box<dyn Future<Output = Attempted> + Send>>;

/// The result of a subscribe.
pub(crate) struct Attempted {
    pub(crate) id: RequestId,
    pub(crate) channel: Channel,
    pub(crate) result: Result<Subscribed, CommandError>,
}

/// The waiting commands of one session.
#[derive(Default)]
pub(crate) struct Pending {
    count: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By channel, the commands that wait behind the subscribe that is under way.
    behind: HashMap<Channel, VecDeque<Command>>,
    /// The subscribes that the driver did not take yet.
    starting: Vec<Attempt>,
    is_driven: bool,
    driver: Option<Waker>,
    /// Tasks that wait for the count to fall.
    waiting: Vec<Waker>,
}

impl Pending {
    /// Whether a command of this channel has to wait behind another.
    pub(crate) fn has(&self, channel: &Channel) -> bool {
        self.count.load(Ordering::Acquire) > 0 && self.state.lock().behind.contains_key(channel)
    }

    /// Puts a command behind those of its channel; gives it back if the last of those was just carried out.
    pub(crate) fn queue(&self, channel: &Channel, command: Command) -> Option<Command> {
        let mut state = self.state.lock();
        let Some(behind) = state.behind.get_mut(channel) else { return Some(command) };
        behind.push_back(command);
        self.count.fetch_add(1, Ordering::AcqRel);
        None
    }

    /// Begins a subscribe. The result: whether the caller has to run the driver.
    #[must_use]
    pub(crate) fn begin(&self, channel: Channel, attempt: Attempt) -> bool {
        let mut state = self.state.lock();
        if state.behind.insert(channel, VecDeque::new()).is_none() {
            self.count.fetch_add(1, Ordering::AcqRel);
        }
        state.starting.push(attempt);
        state.driver.take().into_iter().for_each(Waker::wake);
        !std::mem::replace(&mut state.is_driven, true)
    }

    /// Takes the subscribes that the driver did not take yet.
    pub(crate) fn take_starting(&self) -> Vec<Attempt> {
        std::mem::take(&mut self.state.lock().starting)
    }

    /// The first command of `channel` was carried out: removes the next one for the caller to carry out.
    pub(crate) fn next(&self, channel: &Channel) -> Option<Command> {
        let mut state = self.state.lock();
        let next = state.behind.get_mut(channel)?.pop_front();
        if next.is_none() {
            state.behind.remove(channel);
        }
        self.count.fetch_sub(1, Ordering::AcqRel);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        next
    }

    /// Rests the driver. Ready when it has nothing to wait for (`is_done`) nor to start: then it ends.
    pub(crate) fn poll_rest(&self, is_done: bool, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if is_done && state.starting.is_empty() {
            state.is_driven = false;
            return Poll::Ready(());
        }
        if state.starting.is_empty() {
            state.driver = Some(cx.waker().clone());
        } else {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Ready while fewer than `most` commands wait.
    pub(crate) fn poll_below(&self, most: usize, cx: &Context<'_>) -> Poll<()> {
        if self.count.load(Ordering::Acquire) < most {
            return Poll::Ready(());
        }
        let mut state = self.state.lock();
        // Again under the lock, under which the count falls: else the last wake-up could be missed.
        if self.count.load(Ordering::Acquire) < most {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waiter| waiter.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Whether fewer than [`MOST`] commands wait.
    pub(crate) fn has_room(&self) -> bool {
        self.count.load(Ordering::Acquire) < MOST
    }
}
