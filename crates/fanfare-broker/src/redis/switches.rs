//! Hears from Sentinels that another server is the master.
//!
//! Each Sentinel is subscribed to, and asked now and then in case its message was lost. A Sentinel that names another
//! server than before is believed at once: the publisher leaves the old one, and asks all Sentinels where to go.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    io::AsyncWriteExt,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::connection::{
    error::{CONNECT, ConnectionError},
    links::Links,
    open::Connection,
    place::Endpoint,
    resp::Frame,
    sentinel::ToSentinels,
};
use crate::backoff::Backoff;

/// The channels of Sentinels for failovers: a replica became the master, and all others follow it.
const CHANNELS: [&str; 2] = ["+promoted-slave", "+switch-master"];
/// How often a Sentinel is asked.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// See the head of this file.
pub(crate) struct Switches {
    pub(crate) sentinels: ToSentinels,
    pub(crate) links: Arc<Links>,
    pub(crate) stop: CancellationToken,
}

impl Switches {
    /// Listens to all Sentinels until the node stops.
    pub(crate) async fn run(self) {
        let endpoints = &self.sentinels.sentinels.endpoints;
        self.stop.run_until_cancelled(join_all(endpoints.iter().map(|endpoint| self.watch(endpoint)))).await;
    }

    /// Listens to one for ever.
    async fn watch(&self, sentinel: &Endpoint) {
        let (mut backoff, mut last, mut said) = (Backoff::default(), None, None);
        loop {
            let Err(error) = self.listen(sentinel, &mut last, &mut backoff).await;
            let error = error.to_string();
            if said.as_ref() != Some(&error) {
                tracing::warn!(%sentinel, "a Sentinel does not tell this node of a failover: {error}");
                said = Some(error);
            }
            sleep(backoff.next()).await;
        }
    }

    async fn listen(
        &self,
        sentinel: &Endpoint,
        last: &mut Option<Endpoint>,
        backoff: &mut Backoff,
    ) -> Result<Infallible, ConnectionError> {
        let opened = timeout(CONNECT, self.sentinels.open(sentinel)).await;
        let Connection { mut stream, mut reader, .. } = opened.unwrap_or(Err(ConnectionError::Timeout))?;
        let question = self.sentinels.question().get_packed_command();
        stream.write_all(&redis::cmd("SUBSCRIBE").arg(&CHANNELS).get_packed_command()).await?;
        stream.write_all(&question).await?;
        let mut is_asked = true;
        loop {
            match timeout(ASK_EVERY, reader.fill(&mut stream)).await {
                Ok(read) => _ = read?,
                Err(_) if is_asked => return Err(ConnectionError::Silent(ASK_EVERY)),
                Err(_) => {
                    stream.write_all(&question).await?;
                    is_asked = true;
                }
            }
            while let Some(frame) = reader.next()? {
                match frame {
                    // The message does not have the epoch, and may be of another master.
                    Frame::Message { .. } => stream.write_all(&question).await?,
                    Frame::Reply(answer) => {
                        is_asked = false;
                        backoff.reset();
                        let now = self.sentinels.address(&answer)?;
                        let before = last.replace(now.clone());
                        if before.is_some_and(|before| before != now) {
                            tracing::info!(to = %now, "a Sentinel names another master");
                            self.links.switched(now);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}
