//! `fanfare top`, on a terminal or as one sample.

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

use super::{
    board::Board,
    discover::{Discover, Undiscovered},
    report,
    rounds::{EVERY, Rounds},
    terminal::Terminal,
    view,
};
use crate::{
    ask::{Asker, Target, local_targets},
    cli::TopArgs,
    config::{self, Config, Mistakes},
};

/// The most time that a node may take to answer: less than [`EVERY`].
const TIMEOUT: Duration = Duration::from_millis(900);

/// The width of a table without a terminal.
const WIDE: usize = 160;

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// The configuration, which says where to ask, has mistakes.
    #[error(transparent)]
    Configuration(#[from] Mistakes),
    /// The text is not `http://host:port`.
    #[error("--url {url:?} cannot be asked: {hint}")]
    Url {
        /// The text.
        url: String,
        /// The remedy.
        hint: String,
    },
    /// Only the node itself knows which port it got.
    #[error("the configuration listens on port 0 only: name a node with --url http://HOST:PORT")]
    NoPort,
    /// No node gave the list.
    #[error("{0}; name a node of the cluster with --url http://HOST:PORT")]
    Undiscovered(Undiscovered),
    /// The terminal or standard output failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Shows the cluster on a terminal until the user quits, or returns one sample to print.
///
/// # Errors
/// No node can be asked.
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
    let asker = Asker::of(config.as_ref(), TIMEOUT).trusting(args.trust.clone());
    let discover = Discover::new(sources, asker.clone());
    let rounds = Rounds::begin(discover, asker).await.map_err(TopError::Undiscovered)?;
    if !args.json && stdout().is_terminal() {
        on_screen(rounds).await?;
        return Ok(String::new());
    }
    let board = two_looks(rounds).await;
    Ok(if args.json { report::json(&board) } else { view::plain(&board, WIDE) })
}

/// The URLs of this machine's node, that of its metrics first.
fn own_targets(config: &Config) -> Vec<Target> {
    local_targets(&[Role::Metrics, Role::Clients].map(|role| config.addresses(role)), "/")
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

/// Ends at a signal, or never if signals cannot be heard.
async fn ended(signal: &mut io::Result<tokio::signal::unix::Signal>) {
    match signal {
        Ok(signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}
