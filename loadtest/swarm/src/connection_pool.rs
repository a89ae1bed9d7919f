//! Several processes of this program that do one job's parts: one process has only so many descriptors.
//!
//! A child reads its part and then what it is told as lines of JSON from its input, and says what comes of it on its
//! output. It ends when its input does, so that none outlives its parent.

pub mod progress;
pub mod worker;

use std::{ops::Range, path::Path, process::Stdio};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
};

use crate::{clock::Moment, idle, machine, rooms, storm};

/// Connections of one process, where the machine allows more: past it a second one is of use anyway.
const PER_PROCESS: usize = 19_000;

/// A part of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Job {
    /// Of [`rooms`].
    Rooms(rooms::Share),
    /// Of [`idle`].
    Idle(idle::Share),
    /// Of [`storm`].
    Storm(storm::Share),
}

/// What a child says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Said<P> {
    /// It is connected, and waits for the word.
    Ready,
    /// How much further it is.
    Progress(Progress),
    /// It has done its part; what it connected stays connected.
    Done(P),
    /// It cannot go on.
    Failed(String),
}

/// How much further a child is than when it last said so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Messages sent.
    pub sent: u64,
    /// Messages received, or connections opened.
    pub received: u64,
}

/// What the parent says after the job: when the measured part begins.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Go {
    at: Moment,
}

/// The numbers `0..count` in as many ranges as processes are needed, or as were asked for.
///
/// # Errors
/// So many processes may not have so many connections.
pub fn split(count: usize, processes: Option<usize>) -> anyhow::Result<Vec<Range<usize>>> {
    let most = machine::connections_per_process()?;
    let processes = processes.unwrap_or_else(|| count.div_ceil(PER_PROCESS.min(most)).max(1));
    if count.div_ceil(processes) > most {
        bail!("{count} connections in {processes} processes: one may have {most} here (ulimit -Hn)");
    }
    Ok((0..processes).map(|part| part * count / processes..(part + 1) * count / processes).collect())
}

/// The children; they end when it is dropped.
#[derive(Debug)]
pub struct Flock<P> {
    children: Vec<(Child, ChildStdin)>,
    said: mpsc::Receiver<anyhow::Result<Said<P>>>,
}

impl<P: DeserializeOwned + Send + 'static> Flock<P> {
    /// Starts a child for each job; `swarm` is the path of this crate's program.
    ///
    /// # Errors
    /// One does not start.
    pub async fn start(swarm: &Path, jobs: impl IntoIterator<Item = Job>) -> anyhow::Result<Self> {
        let (ear, said) = mpsc::channel(64);
        let mut children = Vec::new();
        for job in jobs {
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
            tell(&mut input, &job).await?;
            tokio::spawn(listen(output, ear.clone()));
            children.push((child, input));
        }
        Ok(Self { children, said })
    }

    /// The processes.
    ///
    /// # Errors
    /// One has ended.
    pub fn pids(&self) -> anyhow::Result<Vec<u32>> {
        self.children.iter().map(|(child, _)| child.id().context("a child has ended")).collect()
    }

    /// Until all are ready.
    ///
    /// # Errors
    /// One failed.
    pub async fn ready(&mut self, mut on_progress: impl FnMut(Progress)) -> anyhow::Result<()> {
        let mut missing = self.children.len();
        while missing > 0 {
            match self.next().await? {
                Said::Ready => missing -= 1,
                Said::Progress(progress) => on_progress(progress),
                Said::Done(_) | Said::Failed(_) => bail!("a child was done before it was ready"),
            }
        }
        Ok(())
    }

    /// Tells all when to begin.
    ///
    /// # Errors
    /// One has ended.
    pub async fn go(&mut self, at: Moment) -> anyhow::Result<()> {
        for (_, input) in &mut self.children {
            tell(input, &Go { at }).await?;
        }
        Ok(())
    }

    /// Until all are done: what they found.
    ///
    /// # Errors
    /// One failed.
    pub async fn done(&mut self, mut on_progress: impl FnMut(Progress)) -> anyhow::Result<Vec<P>> {
        let mut parts = Vec::new();
        while parts.len() < self.children.len() {
            match self.next().await? {
                Said::Done(part) => parts.push(part),
                Said::Progress(progress) => on_progress(progress),
                Said::Ready | Said::Failed(_) => bail!("a child said what was not expected"),
            }
        }
        Ok(parts)
    }

    /// What one of them says next.
    ///
    /// # Errors
    /// One failed or ended.
    pub async fn next(&mut self) -> anyhow::Result<Said<P>> {
        match self.said.recv().await.context("all children have ended")?? {
            Said::Failed(why) => bail!("{why}"),
            said => Ok(said),
        }
    }
}

async fn tell(input: &mut ChildStdin, what: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    input.write_all(&line).await.context("a child has ended")?;
    Ok(input.flush().await?)
}

/// Passes on what a child says, and that it ended.
async fn listen<P: DeserializeOwned>(output: ChildStdout, ear: mpsc::Sender<anyhow::Result<Said<P>>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let said = serde_json::from_str(&line).with_context(|| format!("a child said {line:?}"));
        if ear.send(said).await.is_err() {
            return;
        }
    }
    ear.send(Err(anyhow::anyhow!("a child ended too early"))).await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_whole_and_none_is_too_large() {
        for count in [0, 1, 19_000, 19_001, 50_000] {
            let parts = split(count, None).unwrap();
            assert_eq!(parts.iter().map(Range::len).sum::<usize>(), count);
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(parts.iter().all(|part| part.len() <= PER_PROCESS), "{parts:?}");
        }
        assert_eq!(split(10, Some(3)).unwrap(), [0..3, 3..6, 6..10]);
    }

    #[test]
    fn more_than_the_processes_may_have_is_refused() {
        assert!(split(usize::MAX / 4, Some(1)).is_err());
    }
}
