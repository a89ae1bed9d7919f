//! `fanfare top`: the nodes of a cluster, each second.
//!
//! - [`discover`]: which nodes there are, from any one of them
//! - [`board`]: a row for each, with what it did since the look before
//! - [`rounds`]: looks at all of them, again and again
//! - [`view`]: the rows as a table; [`numbers`]: as people read them
//! - [`report`]: the rows as JSON
//! - [`terminal`]: a screen, which is left as it was found

pub mod board;
pub mod discover;
pub mod numbers;
pub mod report;
pub mod rounds;
pub mod terminal;
pub mod view;

use std::{
    io::{self, IsTerminal, stdout},
    time::Duration,
};

use fanfare_gateway::Role;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::sleep,
};

use self::{
    board::Board,
    discover::{Discover, Undiscovered},
    rounds::{EVERY, Rounds},
    terminal::Terminal,
};
use crate::{
    ask::{Asker, Target, own},
    cli::TopArgs,
    config::{self, Config, Mistakes},
};

/// How long a node may take to answer: less than [`EVERY`].
const PATIENCE: Duration = Duration::from_millis(900);

/// How wide a table is where nobody says.
const WIDE: usize = 160;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// The configuration, which says where to ask, has mistakes.
    #[error(transparent)]
    Configuration(#[from] Mistakes),
    /// Not `http://host:port`.
    #[error("--url {url:?} cannot be asked: {hint}")]
    Url {
        /// What was given.
        url: String,
        /// What to write.
        hint: String,
    },
    /// Nobody but the node itself knows its ports.
    #[error("the configuration listens on port 0 only: name a node with --url http://HOST:PORT")]
    NoPort,
    /// Nobody said which nodes there are.
    #[error("{0}; name a node of the cluster with --url http://HOST:PORT")]
    Undiscovered(Undiscovered),
    /// The terminal, or standard output.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Shows the cluster on a terminal until somebody quits, or returns one sample to print.
///
/// # Errors
/// Nobody can be asked.
pub async fn run(args: &TopArgs) -> Result<String, TopError> {
    let config = config::load(args.node.sources()).map(|loaded| loaded.config);
    let (sources, config) = match &args.url {
        Some(url) => {
            let target = Target::parse(url, "/").map_err(|hint| TopError::Url { url: url.clone(), hint })?;
            (vec![target], config.ok())
        }
        None => {
            let config = config?;
            (own_targets(&config), Some(config))
        }
    };
    if sources.is_empty() {
        return Err(TopError::NoPort);
    }
    let asker = Asker::of(config.as_ref(), PATIENCE).trusting(args.trust.clone());
    let discover = Discover::new(sources, asker.clone());
    let rounds = Rounds::begin(discover, asker).await.map_err(TopError::Undiscovered)?;
    if !args.json && stdout().is_terminal() {
        on_screen(rounds).await?;
        return Ok(String::new());
    }
    let board = two_looks(rounds).await;
    Ok(if args.json { report::json(&board) } else { view::plain(&board, WIDE) })
}

/// Where this machine's node is asked: first where its metrics are.
fn own_targets(config: &Config) -> Vec<Target> {
    own(&[Role::Metrics, Role::Clients].map(|role| config.addresses(role)), "/")
}

async fn two_looks(mut rounds: Rounds) -> Board {
    rounds.look().await;
    sleep(EVERY).await;
    rounds.look().await;
    rounds.into_board()
}

async fn on_screen(rounds: Rounds) -> io::Result<()> {
    let mut terminal = Terminal::enter()?;
    let (drawn, mut boards) = watch::channel(rounds.board().clone());
    let looking = tokio::spawn(rounds.run(drawn));
    let mut resized = signal(SignalKind::window_change())?;
    let mut ends = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [interrupt, terminate, hangup] = &mut ends;
    loop {
        let board = boards.borrow_and_update().clone();
        let size = terminal.size();
        terminal.draw(&view::screen(&board, size))?;
        tokio::select! {
            changed = boards.changed() => if changed.is_err() { break },
            _ = resized.recv() => {}
            () = terminal.quit() => break,
            () = ended(interrupt) => break,
            () = ended(terminate) => break,
            () = ended(hangup) => break,
        }
    }
    looking.abort();
    Ok(())
}

/// Ends at a signal; never where it cannot be heard.
async fn ended(signal: &mut io::Result<tokio::signal::unix::Signal>) {
    match signal {
        Ok(signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}
