//! What is known of one connection to Redis: whether it works, and what was said about it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;

use super::connection::ConnectionError;
use crate::metrics::Metrics;

/// One connection's state, shared with who asks for it.
#[derive(Debug)]
pub(crate) struct Link {
    /// Which connection, in logs and metrics.
    pub(crate) name: &'static str,
    up: AtomicBool,
    /// What is wrong, as far as it was said already.
    trouble: Mutex<Option<Arc<str>>>,
}

/// The two connections of a node.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) publisher: Link,
    pub(crate) subscriber: Link,
    metrics: Arc<Metrics>,
}

impl Links {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { publisher: Link::new("publisher"), subscriber: Link::new("subscriber"), metrics }
    }

    /// Whether both work.
    pub(crate) fn are_up(&self) -> bool {
        self.publisher.is_up() && self.subscriber.is_up()
    }

    /// Notes that one of them works.
    pub(crate) fn up(&self, link: &Link) {
        if !link.up.swap(true, Ordering::AcqRel) {
            *link.trouble.lock() = None;
            tracing::info!(connection = link.name, "connected to Redis");
        }
        self.metrics.up.set(i64::from(self.are_up()));
    }

    /// Notes that one of them does not work, and says so where it was not said before.
    pub(crate) fn down(&self, link: &Link, error: &ConnectionError) {
        link.up.store(false, Ordering::Release);
        self.metrics.up.set(0);
        let said: Arc<str> = error.to_string().into();
        if link.trouble.lock().replace(said.clone()).as_ref() == Some(&said) {
            return;
        }
        if error.is_configuration() {
            tracing::error!(connection = link.name, "the configuration of Redis is wrong: {said}");
        } else {
            tracing::warn!(connection = link.name, "no connection to Redis: {said}");
        }
    }
}

impl Link {
    fn new(name: &'static str) -> Self {
        Self { name, up: AtomicBool::new(false), trouble: Mutex::new(None) }
    }

    fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// What is wrong with it.
    pub(crate) fn trouble(&self) -> Arc<str> {
        self.trouble.lock().clone().unwrap_or_else(|| "Redis does not answer".into())
    }
}
