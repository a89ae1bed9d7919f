//! One who speaks the dialect over the transport.

use std::{
    sync::Arc,
    task::{Context, Waker},
};

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
    pub(crate) inbound: Arc<Mutex<Inbound>>,
}

impl Client {
    pub(crate) fn new(hub: Arc<Hub>, session: Arc<Session>, pipe: Pipe) -> Self {
        let inbound = hub.inbound(session.clone(), Box::<LinesDecoder>::default());
        Self { hub, session, pipe, inbound: Arc::new(Mutex::new(inbound)) }
    }

    /// Says one line, which is carried out as by the reader of a transport.
    pub(crate) async fn say(&self, line: &str) {
        self.tell(&[line]);
        std::future::poll_fn(|cx| self.inbound.lock().poll_settled(cx)).await;
    }

    /// Says lines, as one read brings them. What they ask for may still be under way.
    pub(crate) fn tell(&self, lines: &[impl AsRef<str>]) {
        let mut inbound = self.inbound.lock();
        inbound.heard();
        inbound.receive(|receiving| {
            for line in lines {
                let _ = receiving.message(text(line.as_ref()));
            }
        });
    }

    /// Ends once the client may say more.
    pub(crate) fn ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let inbound = self.inbound.clone();
        std::future::poll_fn(move |cx| inbound.lock().poll_ready(cx).map(|flow| assert!(flow.is_continue())))
    }

    /// Whether the client may say more now.
    pub(crate) fn is_ready(&self) -> bool {
        self.inbound.lock().poll_ready(&mut Context::from_waker(Waker::noop())).is_ready()
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
