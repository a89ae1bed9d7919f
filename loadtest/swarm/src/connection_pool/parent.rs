//! The child's side.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

use super::{Go, Job, Progress, Said};
use crate::{idle, machine, rooms, storm};

/// Where a child hears from its parent, and speaks to it.
#[derive(Debug)]
pub struct Parent(Lines<BufReader<Stdin>>);

/// Does the job that the parent hands over, and stays until the parent lets go.
///
/// # Errors
/// The parent said what is no job, or is gone. What goes wrong with the job, the parent is told.
pub async fn serve() -> anyhow::Result<()> {
    machine::allow_connections(0)?;
    let mut parent = Parent(BufReader::new(tokio::io::stdin()).lines());
    let line = parent.0.next_line().await?.context("no job")?;
    let worked = match serde_json::from_str(&line)? {
        Job::Rooms(share) => rooms::worker::work(share, &mut parent).await,
        Job::Idle(share) => idle::work(&share, &mut parent).await,
        Job::Storm(share) => storm::worker::work(&share, &mut parent).await,
    };
    if let Err(error) = worked {
        say(&Said::<()>::Failed(format!("{error:#}")))?;
    }
    Ok(())
}

impl Parent {
    /// Says that all is connected, and waits for the moment to begin. `None`: the parent has gone.
    ///
    /// # Errors
    /// The pipe's, or the parent said something else.
    pub async fn ready(&mut self) -> anyhow::Result<Option<crate::clock::Moment>> {
        say(&Said::<()>::Ready)?;
        let Some(line) = self.0.next_line().await? else { return Ok(None) };
        let Go { at } = serde_json::from_str(&line).with_context(|| format!("{line:?}"))?;
        Ok(Some(at))
    }

    /// Says how much further it is.
    ///
    /// # Errors
    /// The pipe's.
    pub fn progress(&self, sent: u64, received: u64) -> anyhow::Result<()> {
        say(&Said::<()>::Progress(Progress { sent, received }))
    }

    /// Says what it found, and stays until the parent lets go.
    ///
    /// # Errors
    /// The pipe's, or the parent said something else.
    pub async fn done(&mut self, part: &impl Serialize) -> anyhow::Result<()> {
        say(&Said::Done(part))?;
        self.gone().await
    }

    /// Until the parent lets go.
    ///
    /// # Errors
    /// The pipe's, or the parent said something.
    pub async fn gone(&mut self) -> anyhow::Result<()> {
        match self.0.next_line().await? {
            None => Ok(()),
            Some(line) => bail!("{line:?} was not expected"),
        }
    }
}

fn say(what: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    let mut output = std::io::stdout().lock();
    output.write_all(&line)?;
    Ok(output.flush()?)
}
