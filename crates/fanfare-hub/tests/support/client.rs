//! One who speaks the dialect over the transport.

use std::sync::Arc;

use fanfare_core::Disconnect;
use fanfare_hub::{Hub, Inbound, Session};
use parking_lot::Mutex;

use super::{
    Pipe, channel,
    lines::{LinesDecoder, text},
};

/// A client, and the session it has on the node.
pub(crate) struct Client {
    pub(crate) hub: Arc<Hub>,
    pub(crate) session: Arc<Session>,
    pub(crate) pipe: Pipe,
    pub(crate) inbound: Mutex<Inbound>,
}

impl Client {
    pub(crate) fn new(hub: Arc<Hub>, session: Arc<Session>, pipe: Pipe) -> Self {
        let inbound = Mutex::new(hub.inbound(session.clone(), Box::<LinesDecoder>::default()));
        Self { hub, session, pipe, inbound }
    }

    /// Says one line, which is carried out as by the reader of a transport.
    pub(crate) async fn say(&self, line: &str) {
        self.tell(&[line]);
        std::future::poll_fn(|cx| self.inbound.lock().poll_settled(cx)).await;
    }

    /// Says lines, as one read brings them. What they ask for may still be under way.
    pub(crate) fn tell(&self, lines: &[&str]) {
        let mut inbound = self.inbound.lock();
        inbound.heard();
        inbound.receive(|receiving| {
            for line in lines {
                let _ = receiving.message(text(*line));
            }
        });
    }

    /// Ends once the client may say more.
    pub(crate) async fn ready(&self) {
        let ready = std::future::poll_fn(|cx| self.inbound.lock().poll_ready(cx)).await;
        assert!(ready.is_continue());
    }

    /// Subscribes without asking for an answer.
    pub(crate) async fn join(&self, channels: &[&str]) {
        for name in channels {
            self.hub.subscriptions.subscribe(&self.session, &channel(name)).await.unwrap();
        }
    }

    pub(crate) fn leave(&self, name: &str) {
        self.hub.subscriptions.unsubscribe(&self.session, &channel(name));
    }

    pub(crate) fn end(&self, disconnect: &Disconnect) {
        self.hub.goodbyes.end(&self.session, disconnect);
    }

    /// Goes on over another transport, as soon as the old one has all that was for it.
    pub(crate) async fn change_to(&mut self, pipe: Pipe) {
        self.hub.sessions.detach(&self.session).await;
        self.hub.sessions.attach(&self.session, pipe.framing(), pipe.sink());
        self.pipe = pipe;
    }

    /// The lines it got since the last time.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.pipe.lines()
    }
}
