//! The state of the two connections to Redis: whether each works, what was logged about it, and whether this node
//! receives its own messages.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fanfare_core::broker::BrokerState;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    code::{Cause, advice, is_configuration},
    error::ConnectionError,
    place::Endpoint,
};
use crate::{
    liveness::{
        canary::{Canary, Generation},
        split::{Comparison, Found, Run, SplitCheck, SplitHistory},
    },
    redis::{
        metrics::{PUBLISHER, RedisMetrics, SUBSCRIBER},
        pubsub::PubSub,
    },
};

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Link {
    /// Which connection, in logs and metrics.
    pub(crate) name: &'static str,
    up: AtomicBool,
    /// The trouble that was said last.
    trouble: Mutex<Option<Arc<str>>>,
}

/// The two connections of a node.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) publisher: Link,
    pub(crate) subscriber: Link,
    /// Whether Redis answers nothing on the publishing connection.
    silent: AtomicBool,
    /// The code word with which Redis refuses the canary.
    refusal: Mutex<Option<String>>,
    canary: Mutex<Canary>,
    split: Mutex<SplitCheck>,
    /// The code word with which Redis refuses to say which server it is.
    info_refusal: Mutex<Option<String>>,
    /// Whether `switch` was not looked at.
    has_switched: AtomicBool,
    /// The server that was named last instead of another.
    switch: Mutex<Option<Endpoint>>,
    /// The server of the publisher's newest connection.
    server: Mutex<Option<Endpoint>>,
    /// Asks the publisher for a round at once.
    pub(crate) hurry: Notify,
    pubsub: PubSub,
    metrics: Arc<RedisMetrics>,
}

impl Links {
    pub(crate) fn new(pubsub: PubSub, metrics: Arc<RedisMetrics>) -> Self {
        let links = Self {
            publisher: Link::new(PUBLISHER),
            subscriber: Link::new(SUBSCRIBER),
            silent: AtomicBool::new(false),
            refusal: Mutex::default(),
            canary: Mutex::default(),
            split: Mutex::default(),
            info_refusal: Mutex::default(),
            has_switched: AtomicBool::new(false),
            switch: Mutex::default(),
            server: Mutex::default(),
            hurry: Notify::new(),
            pubsub,
            metrics,
        };
        links.count();
        links
    }

    /// The state of both connections together.
    pub(crate) fn state(&self) -> BrokerState {
        let is_refused = self.refusal.lock().is_some();
        if !self.publisher.is_up() || self.silent.load(Ordering::Acquire) || is_refused {
            BrokerState::Away
        } else if !self.subscriber.is_up() || !self.canary.lock().is_heard() {
            BrokerState::Deaf
        } else if self.split.lock().is_split() {
            BrokerState::Split
        } else {
            BrokerState::Up
        }
    }

    /// Notes that a connection works.
    pub(crate) fn up(&self, link: &Link) {
        if !link.up.swap(true, Ordering::AcqRel) {
            *link.trouble.lock() = None;
            tracing::info!(connection = link.name, "connected to Redis");
        }
        self.count();
    }

    /// Notes that a connection does not work. Says why, where that was not said before.
    pub(crate) fn down(&self, link: &Link, error: &ConnectionError) {
        link.up.store(false, Ordering::Release);
        self.count();
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

    /// Notes whether Redis answers nothing on the publishing connection.
    pub(crate) fn silent(&self, silent: bool) {
        if self.silent.swap(silent, Ordering::AcqRel) == silent {
            return;
        }
        self.count();
        if silent {
            tracing::warn!("Redis answers nothing: no publications are written to it until it does");
        }
    }

    /// Begins a round of the canary. Its number.
    pub(crate) fn begin_round(&self) -> u64 {
        self.canary.lock().begin(Instant::now())
    }

    /// Redis answered a round. The generation of the subscribing connection that turns out to be deaf.
    pub(crate) fn round_answered(&self, round: u64, answer: Result<i64, String>) -> Option<Generation> {
        let refused = answer.as_ref().err().cloned();
        let before = std::mem::replace(&mut *self.refusal.lock(), refused.clone());
        if before != refused {
            self.count();
            if let Some(code) = refused {
                self.say_refusal(&code);
            }
        }
        self.canary.lock().answered(round, answer.ok()?, Instant::now())
    }

    fn say_refusal(&self, code: &str) {
        let publish = self.pubsub.word("PUBLISH");
        let right = match self.pubsub {
            PubSub::Plain => "the command publish, and the channels &<prefix>!* and &<prefix>:*,",
            PubSub::Sharded => "the command spublish, and the channels &<prefix>{*}!* and &<prefix>{*}:*,",
        };
        let advice = advice(code, right);
        let said = format!(
            "Redis answers {code} to {publish} on this node's own channels: it takes no publications"
        );
        if is_configuration(code) {
            tracing::error!("{said}; {advice}");
        } else {
            tracing::warn!("{said}; {advice}");
        }
    }

    /// The address of the server that the publisher's newest connection leads to, or led to.
    pub(crate) fn server(&self) -> Option<String> {
        self.server.lock().as_ref().map(Endpoint::to_string)
    }

    /// The publisher is on a new connection, to this server. The time for which this node was split from others.
    pub(crate) fn arrived(&self, at: &Endpoint, found: Result<Found, String>) -> Option<Duration> {
        *self.server.lock() = Some(at.clone());
        self.say_info_refusal(found.as_ref().err());
        let whole_until = self.canary(|canary| canary.whole_until());
        let apart = self.split.lock().arrived(found.ok(), whole_until, Instant::now());
        self.count();
        apart
    }

    fn say_info_refusal(&self, code: Option<&String>) {
        let before = std::mem::replace(&mut *self.info_refusal.lock(), code.cloned());
        if let Some(code) = code.filter(|code| before.as_ref() != Some(*code)) {
            let advice = match Cause::of(code) {
                Cause::Permission => advice(code, "the command info"),
                _ => "its run_id is needed".to_owned(),
            };
            tracing::warn!(
                "Redis answers {code} to INFO server: two servers that both take writes will not be noticed; {advice}"
            );
        }
    }

    /// The splits of this node, and whether it knows already of those that others report.
    pub(crate) fn split_history(&self) -> (SplitHistory, bool) {
        let split = self.split.lock();
        (split.history(), split.knows(Instant::now()))
    }

    /// The publisher's server, and the number of its connection.
    pub(crate) fn here(&self) -> Option<(Run, u64)> {
        self.split.lock().here()
    }

    /// Whether a connection that was opened at that time shows where the name of Redis leads.
    pub(crate) fn is_news(&self, opened: Instant) -> bool {
        self.split.lock().is_news(opened)
    }

    /// A new connection, on which a write was taken, is on the server `run`. `here` is what [`Links::here`] returned
    /// before the connection was asked for.
    pub(crate) fn compare(&self, here: &(Run, u64), run: &Run) {
        let whole_until = self.canary(|canary| canary.whole_until());
        let was_split = self.split.lock().is_split();
        let comparison = self.split.lock().compare(here, run, whole_until, Instant::now());
        match comparison {
            Comparison::Same => {}
            Comparison::Other if was_split => {}
            Comparison::Other => tracing::warn!(
                here = here.0.as_str(),
                there = run.as_str(),
                "a new connection to Redis leads to another server, which takes writes too: messages do not reach all \
                 nodes"
            ),
            Comparison::Move => self.hurry.notify_one(),
        }
        self.count();
    }

    /// Whether the publisher is to leave its connection. Said once.
    pub(crate) fn take_move(&self) -> bool {
        self.split.lock().take_move()
    }

    /// This server is the master now, instead of another one. The caller says it in the log.
    pub(crate) fn switched(&self, to: Endpoint) {
        *self.switch.lock() = Some(to);
        self.has_switched.store(true, Ordering::Release);
        self.hurry.notify_one();
    }

    /// Whether the publisher is to leave its connection, which leads there, for another master. Said once.
    pub(crate) fn take_switch(&self, here: &Endpoint) -> bool {
        self.has_switched.load(Ordering::Acquire)
            && self.has_switched.swap(false, Ordering::AcqRel)
            && self.switch.lock().take().is_some_and(|there| there != *here)
    }

    /// Asks the canary something.
    pub(crate) fn canary<T>(&self, ask: impl FnOnce(&mut Canary) -> T) -> T {
        ask(&mut self.canary.lock())
    }

    /// The subscriber heard a round. Whether it is the first on its connection.
    pub(crate) fn heard(&self, round: u64) -> bool {
        let (is_first, round_trip) = self.canary(|canary| {
            let is_first = !canary.is_heard();
            (is_first, canary.heard(round, Instant::now()))
        });
        if let Some(round_trip) = round_trip {
            self.metrics.round_trip.observe(round_trip.as_secs_f64());
        }
        if is_first {
            self.count();
        }
        is_first
    }

    fn count(&self) {
        self.metrics.broker.state(self.state());
    }
}

impl Link {
    fn new(name: &'static str) -> Self {
        Self { name, up: AtomicBool::new(false), trouble: Mutex::new(None) }
    }

    fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// Why it does not work.
    pub(crate) fn trouble(&self) -> Arc<str> {
        self.trouble.lock().clone().unwrap_or_else(|| "Redis does not answer".into())
    }
}
