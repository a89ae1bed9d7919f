//! Looks at all nodes at once, again and again.
//!
//! Invariant: a look takes no longer than the timeout of its [`Asker`], whichever nodes are away.

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

/// The time between two looks.
pub const EVERY: Duration = Duration::from_secs(1);

/// The error of a node that cannot be asked.
const NOWHERE: &str = "it does not say where its metrics are (node.advertise)";

/// Looks at all nodes, one look after another.
pub struct Rounds {
    discover: Discover,
    asker: Asker,
    board: Board,
}

impl Rounds {
    /// Gets the list of nodes.
    ///
    /// # Errors
    /// No node gives it.
    pub async fn begin(mut discover: Discover, asker: Asker) -> Result<Self, Undiscovered> {
        let nodes = discover.begin().await?;
        let mut board = Board::default();
        board.list(nodes, Instant::now());
        let mut rounds = Self { discover, asker, board };
        rounds.name_source();
        Ok(rounds)
    }

    /// The rows.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The rows at the end.
    #[must_use]
    pub fn into_board(self) -> Board {
        self.board
    }

    /// Looks once a second, and sends the rows until the receiver is gone.
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

    /// Asks each node for its metrics, and one of them for the list.
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
            Sample::parse(&answer.body).ok_or_else(|| "it does not serve a node's metrics".to_owned())
        }
        status => Err(format!("{target}: {status}")),
    }
}
