//! The child's side: the parent as the child hears it and writes to it.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

use super::message::{FromChild, Progress, Start};
use crate::clock::Moment;

/// The pipes to the parent.
#[derive(Debug)]
pub struct Parent(Lines<BufReader<Stdin>>);

impl Parent {
    /// The parent of this process, at its standard input and output.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self(BufReader::new(tokio::io::stdin()).lines())
    }

    /// The next message of the parent.
    ///
    /// # Errors
    /// The pipe's, or the parent has gone or sent something else.
    pub async fn read<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let line = self.0.next_line().await?.context("the parent has gone")?;
        serde_json::from_str(&line).with_context(|| format!("{line:?}"))
    }

    /// Says that all is connected, and waits for the moment to begin. `None`: the parent has gone.
    ///
    /// # Errors
    /// The pipe's, or the parent sent something else.
    pub async fn ready(&mut self) -> anyhow::Result<Option<Moment>> {
        write(&FromChild::<()>::Ready)?;
        let Some(line) = self.0.next_line().await? else { return Ok(None) };
        let Start { at } = serde_json::from_str(&line).with_context(|| format!("{line:?}"))?;
        Ok(Some(at))
    }

    /// Reports progress.
    ///
    /// # Errors
    /// The pipe's.
    pub fn progress(&self, sent: u64, received: u64) -> anyhow::Result<()> {
        write(&FromChild::<()>::Progress(Progress { sent, received }))
    }

    /// Reports the result, and waits until the parent has gone.
    ///
    /// # Errors
    /// The pipe's, or the parent sent something.
    pub async fn done(&mut self, part: &impl Serialize) -> anyhow::Result<()> {
        write(&FromChild::Done(part))?;
        match self.0.next_line().await? {
            None => Ok(()),
            Some(line) => bail!("{line:?} was not expected"),
        }
    }

    /// Reports that this process cannot go on.
    ///
    /// # Errors
    /// The pipe's.
    pub fn failed(&self, why: &anyhow::Error) -> anyhow::Result<()> {
        write(&FromChild::<()>::Failed(format!("{why:#}")))
    }
}

fn write(message: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut output = std::io::stdout().lock();
    output.write_all(&line)?;
    Ok(output.flush()?)
}
