//! Takes the socket back from HTTP once the 101 is out, bare or with TLS inside.

use std::sync::Arc;

use fanfare_core::{Decoder, Disconnect, Message, Transport};
use fanfare_hub::{Hub, Kind, Peer, Recovering, Session};
use hyper::upgrade::OnUpgrade;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{
    connection::Connection,
    socket::{Socket, SocketReader},
};
use crate::{
    http::{stream::Stream, upgraded::take_back},
    listener::admission::Permit,
};

/// A session that waits for its transport. It ends if it is dropped before it has one.
pub(crate) struct Pending {
    pub(crate) hub: Arc<Hub>,
    pub(crate) session: Arc<Session>,
    /// Handed to the transport.
    permit: Option<Permit>,
    /// The past of its channel, which its client gets first.
    pub(crate) past: Option<Recovering>,
    /// The first message of the client, where its address has it.
    pub(crate) first: Option<Message>,
    /// Held until a task reads the transport.
    _handshake: TaskTrackerToken,
}

impl Pending {
    pub(crate) fn open(hub: Arc<Hub>, kind: &Arc<Kind>, peer: Peer, permit: Permit) -> Self {
        let handshake = hub.sessions.handshake();
        let session = hub.sessions.open(kind, peer);
        Self { hub, session, permit: Some(permit), past: None, first: None, _handshake: handshake }
    }

    /// Takes what the transport holds. The session has its transport from now on.
    pub(crate) fn take_permit(&mut self) -> Option<Permit> {
        self.permit.take()
    }

    /// Waits for the socket, attaches the session to it, and spawns the task that reads it. Then sends the past.
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
        let mut inbound = self.hub.inbound(self.session.clone(), decoder);
        if let Some(first) = self.first.take() {
            // A mistake in it ends the session. Its goodbye waits for the socket.
            let _ = inbound.receive(|receiving| receiving.message(first));
        }
        match stream.into_stream() {
            Stream::Left(socket) => {
                let Some((stream, descriptor, _)) = socket.into_parts() else { return };
                let socket = Arc::new(Socket::new(stream, descriptor, permit));
                self.hub.sessions.attach(&self.session, transport, socket.clone());
                self.hub.sessions.spawn(Connection::new(inbound, SocketReader(socket), deflate, &early));
            }
            Stream::Right(stream) => {
                self.hub.sessions.attach(&self.session, transport, Arc::new(stream.sink(permit)));
                self.hub.sessions.spawn(Connection::new(inbound, stream, deflate, &early));
            }
        }
        if let Some(past) = self.past.take() {
            let channel = &past.subscribed.channel;
            self.hub.subscriptions.release_past(&self.session, channel, past.publications).await;
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
