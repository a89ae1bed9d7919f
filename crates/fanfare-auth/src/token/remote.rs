//! Keys that come from another server, and change there.
//!
//! Invariants
//! - No token waits for the server but one that names an unknown key, and no more than one fetch is begun for such tokens
//!   in [`PAUSE`]: else everybody could make this server ask.
//! - While the server is away, the keys that came last are used.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

use super::key::TokenKey;

/// The least time between the fetches for unknown keys.
pub const PAUSE: Duration = Duration::from_secs(10);

/// See the head of this file. Some task fetches the keys; tokens are verified with those of the moment.
pub struct RemoteKeys {
    keys: watch::Sender<Fetched>,
    wanted: Notify,
    pause: Duration,
}

struct Fetched {
    keys: Arc<[TokenKey]>,
    /// When the last fetch ended; `None` before the first.
    at: Option<Instant>,
}

impl Fetched {
    fn is_recent(&self, pause: Duration) -> bool {
        self.at.is_some_and(|at| at.elapsed() < pause)
    }
}

impl RemoteKeys {
    /// Without keys, until the first fetch.
    #[must_use]
    pub fn new(pause: Duration) -> Self {
        Self { keys: watch::Sender::new(Fetched { keys: [].into(), at: None }), wanted: Notify::new(), pause }
    }

    /// Uses the keys of a fetch; `None` where it failed: the last ones stay.
    pub fn fetched(&self, keys: Option<Vec<TokenKey>>) {
        self.keys.send_modify(|last| {
            last.at = Some(Instant::now());
            if let Some(keys) = keys {
                last.keys = keys.into();
            }
        });
    }

    /// Ends when a token names an unknown key, and a fetch may be begun for it.
    pub async fn wanted(&self) {
        loop {
            self.wanted.notified().await;
            // It may have been asked for while the last one was under way.
            if !self.keys.borrow().is_recent(self.pause) {
                return;
            }
        }
    }

    /// The keys of the moment.
    pub(super) fn keys(&self) -> Arc<[TokenKey]> {
        self.keys.borrow().keys.clone()
    }

    /// Asks for a fetch. The future ends with it; `None` where the last one is too recent.
    pub(super) fn want(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let mut fetches = self.keys.subscribe();
        if fetches.borrow_and_update().is_recent(self.pause) {
            return None;
        }
        self.wanted.notify_one();
        Some(Box::pin(async move { drop(fetches.changed().await) }))
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("keys", &self.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_pending<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> bool {
        matches!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
    }

    #[test]
    fn a_fetch_ends_the_wait() {
        let remote = RemoteKeys::new(Duration::ZERO);
        let mut wanted = Box::pin(remote.wanted());
        assert!(is_pending(&mut wanted));
        let mut wait = remote.want().unwrap();
        assert!(!is_pending(&mut wanted) && is_pending(&mut wait));
        remote.fetched(None);
        assert!(!is_pending(&mut wait));
    }

    #[test]
    fn fetches_for_unknown_keys_are_rare() {
        let remote = RemoteKeys::new(PAUSE);
        assert!(remote.want().is_some(), "nothing was fetched yet");
        remote.fetched(None);
        assert!(remote.want().is_none());
        assert!(is_pending(&mut Box::pin(remote.wanted())), "the fetch was for it");
    }
}
