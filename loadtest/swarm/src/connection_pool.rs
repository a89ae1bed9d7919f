//! Several processes of this program that share the connections of a run: one process has a bounded number of
//! descriptors.
//!
//! - [`message`]: the lines that parent and child exchange
//! - [`origin`]: where connections come from, and the share of each process
//! - [`parent`]: the child's side
//! - [`progress_bar`]: live rates
//!
//! A child reads the kind of its work, its share and the start as lines of JSON from its input. It writes its progress
//! and its result to its output. It ends when its input ends, so no child outlives its parent.

pub mod message;
pub mod origin;
pub mod parent;
pub mod progress_bar;

use std::{path::Path, process::Stdio};

use anyhow::{Context as _, bail};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
};

use self::message::{FromChild, Kind, Progress, Start};
use crate::clock::Moment;

/// The children. They end when the pool is dropped.
#[derive(Debug)]
pub struct ConnectionPool<P> {
    children: Vec<(Child, ChildStdin)>,
    messages: mpsc::Receiver<anyhow::Result<FromChild<P>>>,
}

impl<P: DeserializeOwned + Send + 'static> ConnectionPool<P> {
    /// Starts a child for each share; `swarm` is the path of this crate's program.
    ///
    /// # Errors
    /// A child does not start.
    pub async fn start<S: Serialize>(
        swarm: &Path,
        kind: Kind,
        shares: impl IntoIterator<Item = S>,
    ) -> anyhow::Result<Self> {
        let (sender, messages) = mpsc::channel(64);
        let mut children = Vec::new();
        for share in shares {
            let mut child = Command::new(swarm)
                .arg("worker")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .with_context(|| format!("{}", swarm.display()))?;
            let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
                bail!("a child has no pipes")
            };
            tell(&mut input, &kind).await?;
            tell(&mut input, &share).await?;
            tokio::spawn(listen(output, sender.clone()));
            children.push((child, input));
        }
        Ok(Self { children, messages })
    }

    /// The ids of the processes.
    ///
    /// # Errors
    /// A child has ended.
    pub fn pids(&self) -> anyhow::Result<Vec<u32>> {
        self.children.iter().map(|(child, _)| child.id().context("a child has ended")).collect()
    }

    /// Waits until all children are ready.
    ///
    /// # Errors
    /// A child failed.
    pub async fn ready(&mut self, mut on_progress: impl FnMut(Progress)) -> anyhow::Result<()> {
        let mut missing = self.children.len();
        while missing > 0 {
            match self.next().await? {
                FromChild::Ready => missing -= 1,
                FromChild::Progress(progress) => on_progress(progress),
                FromChild::Done(_) | FromChild::Failed(_) => bail!("a child was done before it was ready"),
            }
        }
        Ok(())
    }

    /// Tells all children when to begin.
    ///
    /// # Errors
    /// A child has ended.
    pub async fn begin(&mut self, at: Moment) -> anyhow::Result<()> {
        for (_, input) in &mut self.children {
            tell(input, &Start { at }).await?;
        }
        Ok(())
    }

    /// Waits until all children are done. Returns their results.
    ///
    /// # Errors
    /// A child failed.
    pub async fn done(&mut self, mut on_progress: impl FnMut(Progress)) -> anyhow::Result<Vec<P>> {
        let mut parts = Vec::new();
        while parts.len() < self.children.len() {
            match self.next().await? {
                FromChild::Done(part) => parts.push(part),
                FromChild::Progress(progress) => on_progress(progress),
                FromChild::Ready | FromChild::Failed(_) => bail!("a child sent an unexpected message"),
            }
        }
        Ok(parts)
    }

    /// The next message of any child.
    ///
    /// # Errors
    /// A child failed or ended.
    pub async fn next(&mut self) -> anyhow::Result<FromChild<P>> {
        match self.messages.recv().await.context("all children have ended")?? {
            FromChild::Failed(why) => bail!("{why}"),
            message => Ok(message),
        }
    }
}

async fn tell(input: &mut ChildStdin, message: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    input.write_all(&line).await.context("a child has ended")?;
    Ok(input.flush().await?)
}

/// Passes on the messages of a child, and that the child ended.
async fn listen<P: DeserializeOwned>(
    output: ChildStdout,
    messages: mpsc::Sender<anyhow::Result<FromChild<P>>>,
) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message = serde_json::from_str(&line).with_context(|| format!("a child wrote {line:?}"));
        if messages.send(message).await.is_err() {
            return;
        }
    }
    messages.send(Err(anyhow::anyhow!("a child ended too early"))).await.ok();
}
