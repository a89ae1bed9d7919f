//! One who speaks the dialect over the transport.

use std::sync::Arc;

use fanfare_core::{Decoder, Disconnect};
use fanfare_hub::{Hub, Session};
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
    decoder: Mutex<LinesDecoder>,
}

impl Client {
    pub(crate) fn new(hub: Arc<Hub>, session: Arc<Session>, pipe: Pipe) -> Self {
        Self { hub, session, pipe, decoder: Mutex::default() }
    }

    /// Says one line, which is carried out as by the reader of a transport.
    pub(crate) async fn say(&self, line: &str) {
        self.hub.inbound.heard(&self.session);
        let mut commands = Vec::new();
        let decoded = self.decoder.lock().decode(text(line), &mut commands);
        for command in commands {
            self.hub.commands.execute(&self.session, command).await;
        }
        if let Err(disconnect) = decoded {
            self.hub.goodbyes.end(&self.session, &disconnect);
        }
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
