//! A row for each node, with its work since the look before.
//!
//! Invariants
//! - A node that does not answer keeps its row, which says why and has no figures: old figures would look like present
//!   ones.
//! - A row is for an address of metrics: a node that restarts there keeps the row.
//! - A row is removed half a minute after its node was last listed.

use std::time::{Duration, Instant, SystemTime};

use fanfare_metrics::prometheus_text::{Rates, Sample};

use super::discover::Listed;
use crate::ask::Target;

/// How long a node that left is still shown.
const GONE: Duration = Duration::from_secs(30);

/// A node that leaves may stop to answer this long before it leaves the list: two looks.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Looks that are further apart have no rates: they would be old.
const TOGETHER: Duration = Duration::from_secs(5);

/// The rows, sorted by name.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// A row for each node.
    pub rows: Vec<Row>,
    /// The node that gave the list.
    pub source: String,
    /// Why the list may be old.
    pub trouble: Option<String>,
}

/// One node.
#[derive(Debug, Clone)]
pub struct Row {
    /// The node's own words about itself.
    pub node: Listed,
    /// Its answer at the last look.
    pub state: State,
    /// When it left the list.
    pub unlisted: Option<Instant>,
}

/// The answer of a node at the last look.
#[derive(Debug, Clone)]
pub enum State {
    /// It was not asked yet.
    New,
    /// Its figures, and its work since the look before, if there was one.
    Here(Box<Reading>),
    /// Why it does not answer, and since when.
    Away(String, Instant),
}

/// The figures of a node at one moment.
#[derive(Debug, Clone)]
pub struct Reading {
    at: Instant,
    /// The figures.
    pub sample: Sample,
    /// Its work since the look before.
    pub rates: Option<Rates>,
}

/// All nodes that answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Total {
    /// The number of nodes that answer.
    pub here: usize,
    /// The number of nodes that do not.
    pub away: usize,
    /// Sums of the figures.
    pub sample: Sample,
    /// Sums of the rates; `None` without any rate.
    pub rates: Option<Rates>,
}

impl Board {
    /// Sets the list of nodes.
    pub fn list(&mut self, nodes: Vec<Listed>, now: Instant) {
        for row in &mut self.rows {
            row.unlisted = row.unlisted.or(Some(now));
        }
        for node in nodes {
            match self.rows.iter_mut().find(|row| row.is_of(&node)) {
                Some(row) => (row.node, row.unlisted) = (node, None),
                None => self.rows.push(Row { node, state: State::New, unlisted: None }),
            }
        }
        self.forget(now);
        self.rows.sort_by(|a, b| natural(&a.node.name).cmp(&natural(&b.node.name)));
    }

    /// Removes nodes that left a while ago.
    pub fn forget(&mut self, now: Instant) {
        let is_gone = |since: Instant| now.saturating_duration_since(since) >= GONE;
        self.rows.retain(|row| !row.unlisted.is_some_and(is_gone));
    }

    /// Sets the answer of a node, or why it does not answer.
    pub fn note(&mut self, target: Option<&Target>, said: &Result<Sample, String>, now: Instant) {
        for row in self.rows.iter_mut().filter(|row| row.node.metrics.as_ref() == target) {
            row.note(said.clone(), now);
        }
    }

    /// The total of all rows.
    #[must_use]
    pub fn total(&self) -> Total {
        let mut total = Total::default();
        for row in &self.rows {
            match &row.state {
                State::New => {}
                State::Away(..) => total.away += usize::from(!row.has_left()),
                State::Here(reading) => total.add(reading),
            }
        }
        total
    }
}

impl Row {
    fn is_of(&self, node: &Listed) -> bool {
        match (&self.node.metrics, &node.metrics) {
            (None, None) => self.node.name == node.name,
            (here, there) => here == there,
        }
    }

    /// Whether it was told to end: it left the list before it stopped to answer. A node that died stays listed for a
    /// while.
    #[must_use]
    pub fn has_left(&self) -> bool {
        match (&self.state, self.unlisted) {
            (State::Away(_, since), Some(unlisted)) => unlisted <= *since + AT_ONCE,
            _ => false,
        }
    }

    fn note(&mut self, said: Result<Sample, String>, now: Instant) {
        self.state = match (said, &self.state) {
            (Ok(sample), State::Here(before)) => State::Here(Box::new(before.followed_by(sample, now))),
            (Ok(sample), _) => State::Here(Box::new(Reading { at: now, sample, rates: None })),
            (Err(why), State::Away(_, since)) => State::Away(why, *since),
            (Err(why), _) => State::Away(why, now),
        };
    }
}

impl Reading {
    fn followed_by(&self, sample: Sample, now: Instant) -> Self {
        let ago = now.saturating_duration_since(self.at);
        let rates = (ago <= TOGETHER).then(|| sample.since(&self.sample, ago));
        Self { at: now, sample, rates }
    }

    /// How long its process runs, by the clocks of the two machines.
    #[must_use]
    pub fn uptime(&self, now: SystemTime) -> Option<Duration> {
        let started = Duration::try_from_secs_f64(self.sample.started?).ok()?;
        Some(now.duration_since(SystemTime::UNIX_EPOCH.checked_add(started)?).unwrap_or_default())
    }
}

impl Total {
    fn add(&mut self, Reading { sample, rates, .. }: &Reading) {
        self.here += 1;
        self.sample.connections += sample.connections;
        self.sample.queued_bytes += sample.queued_bytes;
        if let Some(rates) = rates {
            let sum = self.rates.get_or_insert_default();
            sum.deliveries += rates.deliveries;
            sum.received += rates.received;
            sum.relay_latency += &rates.relay_latency;
        }
    }
}

/// Orders `node-10` after `node-9`.
fn natural(name: &str) -> (&str, u64, &str) {
    let head = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name.strip_prefix(head).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    (head, number, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn node(name: &str) -> Listed {
        let metrics = Target::parse(&format!("{name}:1"), "/metrics").ok();
        Listed { name: name.into(), version: "1".into(), metrics }
    }

    fn sample(deliveries: f64) -> Sample {
        Sample { connections: 2.0, deliveries, ..Sample::default() }
    }

    fn names(board: &Board) -> Vec<&str> {
        board.rows.iter().map(|row| row.node.name.as_str()).collect()
    }

    fn state<'a>(board: &'a Board, name: &str) -> &'a State {
        &board.rows.iter().find(|row| row.node.name == name).unwrap().state
    }

    #[test]
    fn a_node_that_is_away_has_no_figures() {
        let (mut board, start) = (Board::default(), Instant::now());
        let [a, b] = ["a", "b"].map(node);
        board.list(vec![b.clone(), a.clone()], start);
        let note = |board: &mut Board, of: &Listed, said, seconds: u32| {
            board.note(of.metrics.as_ref(), &said, start + SECOND * seconds);
        };
        for (deliveries, seconds) in [(100.0, 1), (150.0, 2)] {
            note(&mut board, &a, Ok(sample(deliveries)), seconds);
            note(&mut board, &b, Ok(sample(deliveries)), seconds);
        }
        let total = board.total();
        assert_eq!((total.here, total.sample.connections, total.rates.unwrap().deliveries), (2, 4.0, 100.0));
        note(&mut board, &a, Err("frozen".into()), 3);
        note(&mut board, &a, Err("still frozen".into()), 4);
        note(&mut board, &b, Ok(sample(160.0)), 4);
        let State::Away(why, since) = state(&board, "a") else { panic!("a is away") };
        assert_eq!((why.as_str(), *since), ("still frozen", start + SECOND * 3));
        let total = board.total();
        assert_eq!((total.here, total.away, total.sample.connections), (1, 1, 2.0));
        assert_eq!(total.rates.unwrap().deliveries, 5.0);
        note(&mut board, &a, Ok(sample(1000.0)), 5);
        let State::Here(back) = state(&board, "a") else { panic!("a is back") };
        assert_eq!(back.rates, None, "its work meanwhile is not its present work");
    }

    #[test]
    fn leaving_and_dying_nodes_are_told_apart() {
        let (mut board, start) = (Board::default(), Instant::now());
        let [left, died] = ["left", "died"].map(node);
        board.list(vec![left.clone(), died.clone()], start);
        for of in [&left, &died] {
            board.note(of.metrics.as_ref(), &Err("connection refused".into()), start + SECOND);
        }
        assert_eq!(board.total().away, 2);
        board.list(vec![died.clone()], start + SECOND);
        board.list(vec![], start + 10 * SECOND);
        let has_left: Vec<_> =
            board.rows.iter().map(|row| (row.node.name.as_str(), row.has_left())).collect();
        assert_eq!(has_left, [("died", false), ("left", true)]);
        assert_eq!(board.total().away, 1);
    }

    #[test]
    fn looks_that_are_far_apart_have_no_rates() {
        let now = Instant::now();
        let first = Reading { at: now, sample: sample(0.0), rates: None };
        assert_eq!(first.followed_by(sample(10.0), now + 5 * SECOND).rates.unwrap().deliveries, 2.0);
        assert_eq!(first.followed_by(sample(10.0), now + 6 * SECOND).rates, None);
    }

    #[test]
    fn a_node_that_left_goes_later() {
        let (mut board, start) = (Board::default(), Instant::now());
        board.list(vec![node("n-10"), node("n-9")], start);
        assert_eq!(names(&board), ["n-9", "n-10"]);
        board.list(vec![node("n-9"), node("a")], start + SECOND);
        assert_eq!(names(&board), ["a", "n-9", "n-10"]);
        board.list(vec![node("n-9"), node("a")], start + 30 * SECOND);
        assert_eq!(names(&board), ["a", "n-9", "n-10"]);
        board.list(vec![node("n-10")], start + 30 * SECOND);
        board.list(vec![node("n-10")], start + 59 * SECOND);
        assert_eq!(names(&board), ["a", "n-9", "n-10"]);
        board.forget(start + 60 * SECOND);
        assert_eq!(names(&board), ["n-10"]);
    }
}
