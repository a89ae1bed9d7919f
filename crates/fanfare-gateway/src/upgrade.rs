//! Takes the socket back from HTTP once the 101 is out, bare or with TLS inside.

use bytes::Bytes;
use fanfare_core::{Decoder, Disconnect, Transport};
use fanfare_hub::{Hub, Kind, Peer, Session};
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::{
    admission::Permit, connection::Connection, paced::Paced, socket::Socket, stream::Stream,
    tls::socket::TlsSink,
};

/// A session that waits for its transport. Dropped before it has one, it ends.
pub(crate) struct Pending {
    pub(crate) hub: Arc<Hub>,
    pub(crate) session: Arc<Session>,
    /// Given to its transport.
    permit: Option<Permit>,
    /// Held until its transport is read by a task of its own.
    _handshake: TaskTrackerToken,
}

impl Pending {
    pub(crate) fn open(hub: Arc<Hub>, kind: &Arc<Kind>, peer: Peer, permit: Permit) -> Self {
        let handshake = hub.sessions.handshake();
        let session = hub.sessions.open(kind, peer);
        Self { hub, session, permit: Some(permit), _handshake: handshake }
    }

    /// Waits for the socket, puts the session on it and leaves a task behind that reads it.
    pub(crate) async fn settle(
        mut self,
        upgrade: OnUpgrade,
        transport: &'static dyn Transport,
        decoder: Box<dyn Decoder>,
        deflate: bool,
    ) {
        let (stream, early) = match take_back(upgrade).await {
            Ok(taken) => taken,
            Err(error) => return tracing::debug!(%error, "upgrade failed"),
        };
        let Some(permit) = self.permit.take() else { return };
        let (hub, session) = (self.hub.clone(), self.session.clone());
        match stream.into_stream() {
            Stream::Plain(arrival) => {
                let (stream, seat) = arrival.into_parts();
                let (read, write) = stream.into_split();
                self.hub.sessions.attach(
                    &self.session,
                    transport,
                    Box::new(Socket::new(write, seat, permit)),
                );
                self.hub.sessions.spawn(Connection::new(hub, session, read, decoder, deflate, &early));
            }
            Stream::Tls(stream) => {
                let sink = TlsSink::new(stream.0.clone(), permit);
                self.hub.sessions.attach(&self.session, transport, Box::new(sink));
                self.hub.sessions.spawn(Connection::new(hub, session, stream, decoder, deflate, &early));
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.permit.is_some() {
            self.hub.goodbyes.end(&self.session, &Disconnect::Lost);
        }
    }
}

/// The socket, and what the client sent right behind its request.
///
/// # Errors
/// The connection broke first.
pub(crate) async fn take_back(upgrade: OnUpgrade) -> Result<(Paced, Bytes), UpgradeError> {
    let upgraded = upgrade.await?;
    let parts: Parts<TokioIo<Paced>> = upgraded.downcast().map_err(|_| UpgradeError::NotOurs)?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

/// Why there is no socket to take back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpgradeError {
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("the connection is not one that this server accepted")]
    NotOurs,
}
