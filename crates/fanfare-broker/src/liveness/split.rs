//! Which Redis this node speaks with, so that two servers that both take writes are told apart. No clock.
//!
//! A server is known by its run id (`INFO server`), which no other has and which it gets anew when it starts. A key,
//! `<prefix>!server`, says since when nodes of this prefix have been on it: its value names the run id too, for a
//! replica has the key of its master.
//!
//! | who sees it | how |
//! |---|---|
//! | a node that stayed on one server while the name in `broker` leads to another | a new connection of the registry is on another server than the publisher, and that one takes writes too |
//! | a node that comes to a server where others were before it left its own | the key is older than what it heard last |
//! | a node that is where the name leads | another node's entry says that it was apart ([`Others`]) |

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// How often a node goes where the name leads, at most: where it leads here and there, nodes do not hop.
const MOVE_EVERY: Duration = Duration::from_secs(60);

/// How many nodes are remembered, before those that are not listed any more are forgotten.
const NODES: usize = 1024;

/// One run of a Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run(Arc<str>);

impl Run {
    pub(crate) fn new(id: &str) -> Self {
        Self(id.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a publisher finds out about the server that it connected to.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) run: Run,
    /// For how long nodes of this prefix have been on it.
    pub(crate) used_for: Duration,
}

/// What a node knows of where it is.
#[derive(Debug, Default)]
pub(crate) struct Server {
    /// Where the publisher is, or was last; `None` where that server does not say.
    run: Option<Run>,
    /// Counts the publisher's connections.
    generation: u64,
    /// Since when there is the last of them.
    connected: Option<Instant>,
    /// Where the name leads instead, on this connection: since when that is known.
    elsewhere: Option<Instant>,
    /// Whether the publisher is to go there.
    moves: bool,
    moved: Option<Instant>,
    /// How often this node was apart from others, and for how long and until when it was the last time.
    apart: Apart,
    came_back: Option<Instant>,
}

/// What a look through a new connection shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It is the same server, or that cannot be told.
    Same,
    /// It is another, which was not known.
    Elsewhere,
    /// It is another still: the publisher is to go there.
    Move,
}

impl Server {
    /// The publisher is on a new connection, to a server that may not say which it is. The time since which others have been there, where it is another server
    /// than the one before and they were there earlier than `whole_until`.
    pub(crate) fn arrived(
        &mut self,
        found: Option<Found>,
        whole_until: Option<Instant>,
        now: Instant,
    ) -> Option<Duration> {
        self.generation += 1;
        self.connected = Some(now);
        (self.elsewhere, self.moves) = (None, false);
        let Some(Found { run, used_for }) = found else {
            self.run = None;
            return None;
        };
        let before = self.run.replace(run)?;
        if self.run.as_ref() == Some(&before) {
            return None;
        }
        let others_came = now.checked_sub(used_for)?;
        let apart = whole_until?.checked_duration_since(others_came).filter(|apart| !apart.is_zero())?;
        self.apart =
            Apart { times: self.apart.times + 1, millis: apart.as_millis().try_into().unwrap_or(u64::MAX) };
        self.came_back = Some(now);
        Some(apart)
    }

    /// What this node tells others of it.
    pub(crate) fn was_apart(&self) -> Apart {
        self.apart
    }

    /// Whether this node is, or was a moment ago, one that is apart: what others say of it is no news.
    pub(crate) fn knows(&self, now: Instant) -> bool {
        self.is_apart() || self.came_back.is_some_and(|at| now.saturating_duration_since(at) < MOVE_EVERY)
    }

    /// Where the publisher is, and on which of its connections.
    pub(crate) fn here(&self) -> Option<(Run, u64)> {
        Some((self.run.clone()?, self.generation))
    }

    /// Whether a connection that was opened then shows where the name leads: it is newer than the publisher's.
    pub(crate) fn is_news(&self, opened: Instant) -> bool {
        self.connected.is_none_or(|connected| connected <= opened)
    }

    /// A new connection, on which a write was taken, is on the server `run`. `here` is what [`Server::here`] said
    /// before it was asked for; `whole_until`: when the publisher's server was last seen to take writes and deliver.
    pub(crate) fn looked(
        &mut self,
        here: &(Run, u64),
        run: &Run,
        whole_until: Option<Instant>,
        now: Instant,
    ) -> Look {
        if here.1 != self.generation {
            return Look::Same;
        }
        if here.0 == *run {
            self.elsewhere = None;
            return Look::Same;
        }
        let Some(since) = self.elsewhere else {
            self.elsewhere = Some(now);
            return Look::Elsewhere;
        };
        // Both take writes only if this one did since.
        let is_alive = whole_until.is_some_and(|until| since < until);
        let may_move = self.moved.is_none_or(|moved| moved + MOVE_EVERY <= now);
        if !is_alive || !may_move {
            return Look::Elsewhere;
        }
        (self.moves, self.moved) = (true, Some(now));
        Look::Move
    }

    /// Whether the name leads elsewhere.
    pub(crate) fn is_apart(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Whether the publisher is to leave its connection; told once.
    pub(crate) fn takes_leave(&mut self) -> bool {
        std::mem::take(&mut self.moves)
    }
}

/// How often a node was apart from others, as it tells them, and for how long it was the last time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Apart {
    pub(crate) times: u64,
    pub(crate) millis: u64,
}

/// What other nodes told of it, by incarnation.
///
/// Invariant: what a node tells counts only where it told less before. Who comes later missed nothing by it.
#[derive(Debug, Default)]
pub(crate) struct Others(HashMap<String, u64>);

impl Others {
    /// Takes what the nodes that there are tell now: for how long one of them was apart that was not known to be.
    pub(crate) fn look<'a>(&mut self, others: impl Iterator<Item = (&'a str, Apart)>) -> Option<Duration> {
        let mut told = HashMap::new();
        let mut longest = None;
        for (incarnation, Apart { times, millis }) in others {
            if self.0.get(incarnation).is_some_and(|before| *before < times) {
                longest = longest.max(Some(Duration::from_millis(millis)));
            }
            told.insert(incarnation.to_owned(), times);
        }
        // An entry may be gone for a while, as a node moves.
        if self.0.len() > NODES {
            self.0.clear();
        }
        self.0.extend(told);
        longest
    }
}

#[cfg(test)]
mod tests;
