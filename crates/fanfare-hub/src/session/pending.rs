//! The commands of one session that wait.
//!
//! Invariants
//! - Commands with different ordering keys are carried out at the same time, those with one key in the order of arrival:
//!   behind a command that waits, the later ones with its key wait too. Each channel is a key, the calls of the backend
//!   are one, and the connection is one.
//! - While the client's connect is under way, all commands wait behind it, in the order of arrival.
//! - When [`MOST`] commands wait, the session's reader takes no further message.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use fanfare_core::{Channel, Command, Disconnect, Reply};
use parking_lot::Mutex;
use smallvec::SmallVec;

/// The number of commands that may wait in one session.
pub(crate) const MOST: usize = 128;

/// Commands with the same key wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum OrderingKey {
    /// Those about the connection.
    Connection,
    /// The calls of the backend.
    Calls,
    /// Those of a channel.
    Channel(Channel),
}

impl OrderingKey {
    /// The ordering key of a command.
    pub(crate) fn of(command: &Command) -> Self {
        match (command.channel(), command) {
            (Some(channel), _) => Self::Channel(channel.clone()),
            (None, Command::Rpc { .. }) => Self::Calls,
            (None, _) => Self::Connection,
        }
    }
}

/// A command that waits for a broker, for keys or for the backend.
pub(crate) type Attempt = Pin<Box<dyn Future<Output = Attempted> + Send>>;

/// The result of a command.
pub(crate) struct Attempted {
    pub(crate) key: OrderingKey,
    /// The reply, or the end of the session; `None`: a later reply is sent by itself.
    pub(crate) answer: Result<Option<Reply>, Disconnect>,
    /// The channels whose held publications follow the reply.
    pub(crate) held: SmallVec<[Channel; 1]>,
}

/// The waiting commands of one session.
#[derive(Default)]
pub(crate) struct Pending {
    count: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By ordering key, the commands that wait behind the one that is under way.
    behind: HashMap<OrderingKey, VecDeque<Command>>,
    /// Whether all commands wait behind the connection's key.
    is_connecting: bool,
    /// The attempts that the driver did not take yet.
    starting: Vec<Attempt>,
    is_driven: bool,
    driver: Option<Waker>,
    /// Tasks that wait for the count to fall.
    waiting: Vec<Waker>,
}

impl Pending {
    /// Puts a command behind the connect that is under way; gives it back where no connect is.
    pub(crate) fn queue_behind_connect(&self, command: Command) -> Option<Command> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Some(command);
        }
        let mut state = self.state.lock();
        if !state.is_connecting {
            return Some(command);
        }
        self.push(&mut state, &OrderingKey::Connection, command)
    }

    /// Puts a command behind those with its ordering key; gives it back if the last of those was just carried out.
    pub(crate) fn queue(&self, command: Command) -> Option<Command> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Some(command);
        }
        let key = OrderingKey::of(&command);
        self.push(&mut self.state.lock(), &key, command)
    }

    fn push(&self, state: &mut State, key: &OrderingKey, command: Command) -> Option<Command> {
        let Some(behind) = state.behind.get_mut(key) else { return Some(command) };
        behind.push_back(command);
        self.count.fetch_add(1, Ordering::AcqRel);
        None
    }

    /// Begins a command. `is_connect`: all later ones wait behind it. The result: whether the caller has to run the
    /// driver.
    #[must_use]
    pub(crate) fn begin(&self, key: OrderingKey, attempt: Attempt, is_connect: bool) -> bool {
        let mut state = self.state.lock();
        state.is_connecting |= is_connect;
        if state.behind.insert(key, VecDeque::new()).is_none() {
            self.count.fetch_add(1, Ordering::AcqRel);
        }
        state.starting.push(attempt);
        state.driver.take().into_iter().for_each(Waker::wake);
        !std::mem::replace(&mut state.is_driven, true)
    }

    /// Takes the attempts that the driver did not take yet.
    pub(crate) fn take_starting(&self) -> Vec<Attempt> {
        std::mem::take(&mut self.state.lock().starting)
    }

    /// The first command with `key` was carried out: removes the next one for the caller to carry out. The first counts
    /// until [`Pending::answered`]. Memory is given back where nothing waits any more.
    pub(crate) fn next(&self, key: &OrderingKey) -> Option<Command> {
        let mut state = self.state.lock();
        let next = state.behind.get_mut(key)?.pop_front();
        if next.is_none() {
            state.behind.remove(key);
            state.is_connecting &= *key != OrderingKey::Connection;
            if state.behind.is_empty() {
                state.behind = HashMap::new();
            }
        }
        next
    }

    /// The answers to this many commands were sent.
    pub(crate) fn answered(&self, commands: usize) {
        if commands > 0 {
            let mut state = self.state.lock();
            self.count.fetch_sub(commands, Ordering::AcqRel);
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
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
