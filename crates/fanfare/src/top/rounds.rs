//! Looks at all nodes at once, again and again.
//!
//! Invariant: a look takes no longer than its [`Asker`]'s patience, whichever nodes are away.

use std::time::{Duration, Instant};

use fanfare_metrics::prometheus_text::Sample;
use hyper::StatusCode;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    board::Board,
    discover::{Discover, Undiscovered},
};
use crate::ask::{Asker, Target};

/// How often.
pub const EVERY: Duration = Duration::from_secs(1);

/// What a node says that nobody can ask.
const NOWHERE: &str = "it does not say where its metrics are (node.advertise)";

/// One look after the other.
pub struct Rounds {
    discover: Discover,
    asker: Asker,
    board: Board,
}

impl Rounds {
    /// Learns which nodes there are.
    ///
    /// # Errors
    /// Nobody says it.
    pub async fn begin(mut discover: Discover, asker: Asker) -> Result<Self, Undiscovered> {
        let nodes = discover.begin().await?;
        let mut board = Board::default();
        board.list(nodes, Instant::now());
        let mut rounds = Self { discover, asker, board };
        rounds.name_source();
        Ok(rounds)
    }

    /// What is known.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// What is known in the end.
    #[must_use]
    pub fn into_board(self) -> Board {
        self.board
    }

    /// Looks once a second, and tells, until nobody listens.
    pub async fn run(mut self, told: watch::Sender<Board>) {
        let mut second = interval(EVERY);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            second.tick().await;
            self.look().await;
            if told.send(self.board.clone()).is_err() {
                return;
            }
        }
    }

    /// Asks each node that is known, and one of them for the list.
    pub async fn look(&mut self) {
        let mut asking = JoinSet::new();
        for target in self.targets() {
            let asker = self.asker.clone();
            asking.spawn(async move {
                let said = scrape(&asker, &target).await;
                (target, said, Instant::now())
            });
        }
        let (nodes, said) = tokio::join!(self.discover.look(), asking.join_all());
        for (target, said, at) in said {
            self.board.note(Some(&target), &said, at);
        }
        let now = Instant::now();
        match nodes {
            Ok(nodes) => {
                self.board.list(nodes, now);
                self.board.trouble = None;
            }
            Err(error) => {
                self.board.forget(now);
                self.board.trouble = Some(error.to_string());
            }
        }
        self.board.note(None, &Err(NOWHERE.into()), now);
        self.name_source();
    }

    fn targets(&self) -> Vec<Target> {
        self.board.rows.iter().filter_map(|row| row.node.metrics.clone()).collect()
    }

    fn name_source(&mut self) {
        let source = self.discover.source().map(|source| source.at("").to_string());
        self.board.source = source.unwrap_or_default();
    }
}

async fn scrape(asker: &Asker, target: &Target) -> Result<Sample, String> {
    let answer = asker.get(target).await.map_err(|error| error.to_string())?;
    match answer.status {
        StatusCode::OK => {
            Sample::parse(&answer.body).ok_or_else(|| "no metrics of a node are there".to_owned())
        }
        status => Err(format!("{target}: {status}")),
    }
}
