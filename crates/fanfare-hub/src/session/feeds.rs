//! Sessions that requests feed: each under a secret name, by which any request to the node finds it.
//!
//! Invariants
//! - A name is unguessable, and is forgotten when its reader ends.
//! - What comes for a session waits in the order of arrival, and is carried out by one task. Too much that waits ends
//!   the session.
//! - A node carries out what other nodes hand over as it does its own.

use std::{
    collections::HashMap,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use fanfare_core::{Disconnect, Message};
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::session::inbound::{Inbound, Next};

/// The bytes that may wait for one session, where they are more than one message.
const WAITING: usize = 256 << 10;

/// The memory of a message that waits, besides its bytes.
const OF_A_MESSAGE: usize = 64;

/// See the head of this file.
#[derive(Default)]
pub struct Feeds {
    feeders: Mutex<HashMap<Arc<str>, Feeder>>,
}

/// The way to one session.
struct Feeder {
    messages: UnboundedSender<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Feeds {
    /// A new name, and the reader of what comes for it.
    #[must_use]
    pub fn open(self: &Arc<Self>) -> Feed {
        let name: Arc<str> = format!("{:032x}", rand::random::<u128>()).into();
        let (messages, coming) = unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let feeder = Feeder { messages, waiting: waiting.clone() };
        self.feeders.lock().insert(name.clone(), feeder);
        Feed { name, feeds: self.clone(), coming, waiting }
    }

    /// Hands a message to the session of this name, if there is one.
    pub fn feed(&self, name: &str, message: Bytes) {
        let cost = cost(&message);
        let mut feeders = self.feeders.lock();
        let Some(feeder) = feeders.get(name) else { return };
        let before = feeder.waiting.fetch_add(cost, Ordering::Relaxed);
        if before > 0 && before + cost > WAITING {
            // Its reader finds the end behind what waits.
            feeders.remove(name);
        } else {
            // Fails only where the reader has just ended.
            let _ = feeder.messages.send(message);
        }
    }
}

fn cost(message: &Bytes) -> usize {
    message.len() + OF_A_MESSAGE
}

/// The reader of what comes for one name. Its drop forgets the name.
pub struct Feed {
    name: Arc<str>,
    feeds: Arc<Feeds>,
    coming: UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Feed {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Carries out `first`, and then what comes, until the session's client is `gone`. Then the session ends.
    pub async fn read(mut self, mut inbound: Inbound, first: Bytes, gone: impl Future<Output = ()>) {
        let mut gone = pin!(gone);
        self.waiting.fetch_add(cost(&first), Ordering::Relaxed);
        let (waiting, coming) = (&self.waiting, &mut self.coming);
        let reading = async {
            let mut next = Some(first);
            while let Some(message) = next {
                let cost = cost(&message);
                inbound.came(message.len());
                if inbound.receive_all([Message::Binary(message)]).await == Next::Ended {
                    return;
                }
                waiting.fetch_sub(cost, Ordering::Relaxed);
                next = coming.recv().await;
            }
            inbound.end(&Disconnect::MessageGaveWay);
        };
        tokio::select! {
            biased;
            () = &mut gone => {}
            () = reading => gone.await,
        }
        inbound.end(&Disconnect::Lost);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.feeds.feeders.lock().remove(&self.name);
    }
}
