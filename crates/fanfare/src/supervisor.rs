//! Notifications to the service manager: systemd's (sd_notify(3)).
//!
//! | when | what |
//! |---|---|
//! | the broker is up for the first time | `READY=1` |
//! | each half of `WATCHDOG_USEC`, while every shard goes on | `WATCHDOG=1` |
//! | SIGHUP; its configuration was read | `RELOADING=1`; `READY=1` |
//! | the first SIGTERM or SIGINT | `STOPPING=1`, and how long that may take |
//! | a change of the node's state | `STATUS=` and the state in words |
//!
//! Invariants
//! - `READY=1` means the same as `/readyz`, so that a node which others make way for can take their clients. A node
//!   whose broker is away waits for it, and tells the watchdog that it is alive.
//! - `WATCHDOG=1` means the same as `/healthz`, and comes from the runtime that carries the clients: a stalled node
//!   sends none.
//! - No reload is told before the first `READY=1`: its own `READY=1` would be taken for that of the start.

use std::{env, future::pending, sync::Arc, time::Duration};

use fanfare_core::broker::BrokerState;
use fanfare_hub::Hub;
use parking_lot::Mutex;
use sd_notify::NotifyState;
use tokio::{
    task::spawn_blocking,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::node::Node;

/// The time between two looks at the node.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The time from `drain.timeout` until the process has ended.
const LAST_STEPS: Duration = Duration::from_secs(10);

/// Tells the service manager how a node is. Without a service manager it does nothing.
#[derive(Clone)]
pub(crate) struct Supervisor {
    hub: Arc<Hub>,
    told: Arc<Mutex<Told>>,
}

/// The last words to the service manager.
#[derive(Debug, Default)]
struct Told {
    stage: Stage,
    /// The last reload was refused, because the configuration has mistakes.
    has_mistakes: bool,
    status: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Starting,
    Started,
    Stopping,
}

/// The state of a node at one moment.
#[derive(Debug, Clone, Copy)]
struct Seen {
    shards_that_stand_still: usize,
    broker: BrokerState,
    /// Whether the broker lets the node take clients.
    is_ready: bool,
    connections: u64,
}

impl Supervisor {
    /// Notifies the service manager about this node from now on, if the environment names one.
    pub(crate) fn start(node: &Node) -> Self {
        let supervisor = Self { hub: node.hub.clone(), told: Arc::default() };
        if env::var_os("NOTIFY_SOCKET").is_some() {
            tokio::spawn(supervisor.clone().watch());
        }
        supervisor
    }

    /// The configuration is being read; [`Supervisor::reloaded`] follows.
    pub(crate) fn reloading(&self) {
        if self.told.lock().stage == Stage::Started {
            // systemd 253 and newer needs the time, to tell this reload from an earlier one.
            let now = NotifyState::monotonic_usec_now();
            tell(&[NotifyState::Reloading].into_iter().chain(now).collect::<Vec<_>>());
        }
    }

    /// The configuration was read, and `is_used` says whether it is used.
    pub(crate) fn reloaded(&self, is_used: bool) {
        let seen = self.seen();
        let mut told = self.told.lock();
        told.has_mistakes = !is_used;
        let is_started = told.stage == Stage::Started;
        let ready = is_started.then_some(NotifyState::Ready);
        tell(&ready.into_iter().chain(told.look(seen, false)).collect::<Vec<_>>());
    }

    /// The node ends, within this time.
    pub(crate) fn stopping(&self, within: Duration) {
        let seen = self.seen();
        let mut told = self.told.lock();
        told.stage = Stage::Stopping;
        // Without this, the unit's `TimeoutStopSec` would cut a longer `drain.timeout` short.
        let micros = (within + LAST_STEPS).as_micros().try_into().unwrap_or(u32::MAX);
        let words = [NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros)];
        tell(&words.into_iter().chain(told.look(seen, false)).collect::<Vec<_>>());
    }

    /// Runs as long as the process.
    async fn watch(self) {
        let mut looks = every(LOOK_EVERY);
        let mut beats = sd_notify::watchdog_enabled().map(|limit| every(limit / 2));
        loop {
            let is_beat = tokio::select! {
                _ = looks.tick() => false,
                () = due(&mut beats) => true,
            };
            let this = self.clone();
            // A datagram waits if the service manager does not read. A worker of the runtime must not wait with it.
            let looked = spawn_blocking(move || tell(&this.told.lock().look(this.seen(), is_beat)));
            if looked.await.is_err() {
                return;
            }
        }
    }

    fn seen(&self) -> Seen {
        Seen {
            shards_that_stand_still: self.hub.stall().shards,
            broker: self.hub.broker().overall_state(),
            is_ready: self.hub.broker().is_ready(),
            connections: self.hub.metrics().connections.count(),
        }
    }
}

impl Told {
    /// The news for the service manager.
    fn look(&mut self, seen: Seen, is_beat: bool) -> Vec<NotifyState<'_>> {
        let is_first = seen.is_ready && self.stage == Stage::Starting;
        if is_first {
            self.stage = Stage::Started;
        }
        let status = self.words(seen);
        let is_news = status != self.status;
        self.status = status;
        let is_alive = seen.shards_that_stand_still == 0;
        let ready = is_first.then_some(NotifyState::Ready);
        let status = is_news.then_some(NotifyState::Status(&self.status));
        let beat = (is_beat && is_alive).then_some(NotifyState::Watchdog);
        [ready, status, beat].into_iter().flatten().collect()
    }

    fn words(&self, seen: Seen) -> String {
        let broker = seen.broker.name();
        let words = match (self.stage, seen.broker) {
            (Stage::Stopping, _) => format!("draining: {} clients to go", seen.connections),
            (Stage::Starting, _) => format!("waiting for the broker, which is {broker}"),
            (Stage::Started, BrokerState::Up) => "ready".to_owned(),
            (Stage::Started, _) if seen.is_ready => format!("ready: a part of the broker is {broker}"),
            (Stage::Started, _) => format!("not ready: the broker is {broker}"),
        };
        let still = match seen.shards_that_stand_still {
            0 => String::new(),
            still => format!("; {still} shards stand still"),
        };
        let mistakes = match self.has_mistakes {
            true => "; the configuration has mistakes and was not reloaded, see the log",
            false => "",
        };
        words + &still + mistakes
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period.max(Duration::from_millis(1)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn due(beats: &mut Option<Interval>) {
    match beats {
        Some(beats) => _ = beats.tick().await,
        None => pending().await,
    }
}

fn tell(words: &[NotifyState<'_>]) {
    if words.is_empty() {
        return;
    }
    if let Err(error) = sd_notify::notify(words) {
        tracing::warn!(%error, "the service manager cannot be told how this node is (NOTIFY_SOCKET)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Seen =
        Seen { shards_that_stand_still: 0, broker: BrokerState::Up, is_ready: true, connections: 3 };
    const AWAY: Seen = Seen { broker: BrokerState::Away, is_ready: false, ..WELL };
    const PARTLY: Seen = Seen { is_ready: true, ..AWAY };
    const STILL: Seen = Seen { shards_that_stand_still: 2, ..WELL };

    fn said(told: &mut Told, seen: Seen, is_beat: bool) -> String {
        let words: Vec<_> = told.look(seen, is_beat).iter().map(ToString::to_string).collect();
        words.join(" ")
    }

    #[test]
    fn the_watchdog_hears_nothing_of_a_stall() {
        let mut told = Told::default();
        assert_eq!(said(&mut told, WELL, true), "READY=1 STATUS=ready WATCHDOG=1");
        assert_eq!(said(&mut told, STILL, true), "STATUS=ready; 2 shards stand still");
        assert_eq!(said(&mut told, STILL, true), "");
        assert_eq!(said(&mut told, WELL, true), "STATUS=ready WATCHDOG=1");
        assert_eq!(said(&mut told, WELL, false), "");
    }

    #[test]
    fn a_node_is_alive_without_its_broker() {
        let mut told = Told::default();
        let waiting = "STATUS=waiting for the broker, which is away WATCHDOG=1";
        assert_eq!(said(&mut told, AWAY, true), waiting);
        assert_eq!(said(&mut told, WELL, false), "READY=1 STATUS=ready");
        assert_eq!(said(&mut told, PARTLY, false), "STATUS=ready: a part of the broker is away");
        assert_eq!(said(&mut told, AWAY, true), "STATUS=not ready: the broker is away WATCHDOG=1");
        assert_eq!(said(&mut told, WELL, true), "STATUS=ready WATCHDOG=1");
        (told.stage, told.has_mistakes) = (Stage::Stopping, true);
        let draining = "STATUS=draining: 3 clients to go; the configuration has mistakes and was not reloaded, \
                        see the log";
        assert_eq!(said(&mut told, WELL, false), draining);
    }
}
