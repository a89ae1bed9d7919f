//! Whether two servers take writes: this node is on one of them, and other nodes are on the other. No I/O, no clock.
//!
//! A server is known by its run: no other server has the same, and a server gets a new one when it starts. A note on
//! the server says since when nodes of this prefix have been there. It names the run too, for a replica has the notes
//! of its master.
//!
//! | which node finds the split | how |
//! |---|---|
//! | a node that stayed on one server while the name in `broker` leads to another | a new connection of the registry is on another server than the publisher, and that server takes writes too |
//! | a node that comes to a server where others were before it left its own | the note is older than the node's last message from its own server |
//! | a node that is where the name leads | another node's entry says that it was on another server ([`ReportedSplits`]) |

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// A node follows the name to another server once in this time at most. So nodes do not hop where the name leads to
/// both servers by turns.
const MOVE_EVERY: Duration = Duration::from_secs(60);

/// The number of remembered nodes past which all that are not listed any more are forgotten.
const NODES: usize = 1024;

/// One run of a server.
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

/// A server that the publisher connected to.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) run: Run,
    /// For how long nodes of this prefix have been on it.
    pub(crate) used_for: Duration,
}

/// The state of the check: the server of this node, and another one.
#[derive(Debug, Default)]
pub(crate) struct SplitCheck {
    /// The server of the publisher's last connection; `None` where that server does not say which it is.
    run: Option<Run>,
    /// The number of the publisher's connections so far.
    generation: u64,
    /// When the last of them was opened.
    connected: Option<Instant>,
    /// Since when it is known that the name leads to another server; `None` where it does not.
    elsewhere: Option<Instant>,
    /// Whether the publisher is to move there.
    moves: bool,
    /// When it moved for the last time.
    moved: Option<Instant>,
    history: SplitHistory,
    /// When this node left the other server for the last time.
    came_back: Option<Instant>,
}

/// The server of a new connection, compared with the publisher's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The same server, or that cannot be known.
    Same,
    /// Another server.
    Other,
    /// Another server, and the publisher is to move there.
    Move,
}

impl SplitCheck {
    /// The publisher is on a new connection, to a server that may not say which it is. The time for which this node was
    /// split from others: since they came to that server, until `whole_until`.
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
        self.history = SplitHistory {
            times: self.history.times + 1,
            millis: apart.as_millis().try_into().unwrap_or(u64::MAX),
        };
        self.came_back = Some(now);
        Some(apart)
    }

    /// The splits of this node, which it tells others.
    pub(crate) fn history(&self) -> SplitHistory {
        self.history
    }

    /// Whether this node is split from others, or was a moment ago. Then it knows already of the splits that they
    /// report.
    pub(crate) fn knows(&self, now: Instant) -> bool {
        self.is_split() || self.came_back.is_some_and(|at| now.saturating_duration_since(at) < MOVE_EVERY)
    }

    /// The publisher's server, and the number of its connection.
    pub(crate) fn here(&self) -> Option<(Run, u64)> {
        Some((self.run.clone()?, self.generation))
    }

    /// Whether a connection that was opened at that time shows where the name leads: it is newer than the publisher's.
    pub(crate) fn is_news(&self, opened: Instant) -> bool {
        self.connected.is_none_or(|connected| connected <= opened)
    }

    /// A new connection, on which a write was taken, is on the server `run`. `here` is what [`SplitCheck::here`]
    /// returned before the connection was asked for; `whole_until` is when the publisher's server was last seen to take
    /// writes and to deliver.
    pub(crate) fn compare(
        &mut self,
        here: &(Run, u64),
        run: &Run,
        whole_until: Option<Instant>,
        now: Instant,
    ) -> Comparison {
        if here.1 != self.generation {
            return Comparison::Same;
        }
        if here.0 == *run {
            self.elsewhere = None;
            return Comparison::Same;
        }
        let Some(since) = self.elsewhere else {
            self.elsewhere = Some(now);
            return Comparison::Other;
        };
        // Both servers take writes only if the publisher's did since.
        let is_alive = whole_until.is_some_and(|until| since < until);
        let may_move = self.moved.is_none_or(|moved| moved + MOVE_EVERY <= now);
        if !is_alive || !may_move {
            return Comparison::Other;
        }
        (self.moves, self.moved) = (true, Some(now));
        Comparison::Move
    }

    /// Whether the name leads to another server.
    pub(crate) fn is_split(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Whether the publisher is to leave its connection. Said once.
    pub(crate) fn take_move(&mut self) -> bool {
        std::mem::take(&mut self.moves)
    }
}

/// The splits of a node from others, as it tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SplitHistory {
    pub(crate) times: u64,
    /// The length of the last one.
    pub(crate) millis: u64,
}

/// The number of splits that each other node reported, by incarnation.
///
/// Invariant: a report counts only where the same node reported fewer before. A node that came later missed nothing by
/// the split.
#[derive(Debug, Default)]
pub(crate) struct ReportedSplits(HashMap<String, u64>);

impl ReportedSplits {
    /// Takes the reports of all listed nodes. The length of the longest split that is new.
    pub(crate) fn take<'a>(
        &mut self,
        others: impl Iterator<Item = (&'a str, SplitHistory)>,
    ) -> Option<Duration> {
        let mut reported = HashMap::new();
        let mut longest = None;
        for (incarnation, SplitHistory { times, millis }) in others {
            if self.0.get(incarnation).is_some_and(|before| *before < times) {
                longest = longest.max(Some(Duration::from_millis(millis)));
            }
            reported.insert(incarnation.to_owned(), times);
        }
        // The entry of a node that moves may be missing for a while.
        if self.0.len() > NODES {
            self.0.clear();
        }
        self.0.extend(reported);
        longest
    }
}

#[cfg(test)]
mod tests;
