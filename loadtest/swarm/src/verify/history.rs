//! Checks that every acknowledged message reaches every subscriber exactly once, in order, whatever happens meanwhile to
//! nodes, Redis and connections. The channels have history.
//!
//! - `plan`: the settings
//! - `publisher`: publishes until each message is acknowledged; `subscriber`: comes back with its position
//! - [`Guests`]: clients of another program, which note what comes too
//! - [`ledger`]: the messages of both; `notes`: and what else they note; [`judge`](mod@judge): messages and final histories in, a verdict out
//! - `wholeness`: the time from a fault until every subscriber has later messages; `summary`: the result

mod guests;
pub mod judge;
pub mod ledger;
mod notes;
mod plan;
mod publisher;
mod subscriber;
mod summary;
mod wholeness;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

pub use self::{guests::Guests, plan::Plan, subscriber::dropped, summary::Summary};
use self::{
    judge::{Kept, failover, judge},
    ledger::Ledger,
    notes::Notes,
    publisher::Publisher,
    subscriber::Subscriber,
    wholeness::Wholeness,
};
use super::{FOR_DOUBLES, LOOK_EVERY};
use crate::{api::Api, position::Position};

/// The time without any message after which all is judged behind a failover.
const QUIET: Duration = Duration::from_secs(15);

/// A check that is under way.
#[derive(Debug)]
pub struct Check {
    plan: Plan,
    /// The channels, and their newest positions at the start.
    channels: Vec<(String, Position)>,
    notes: Arc<Mutex<Notes>>,
    stop: CancellationToken,
    publishing: JoinSet<()>,
    _subscribers: JoinSet<()>,
    drops: watch::Sender<f64>,
    watches: Mutex<JoinSet<Vec<Duration>>>,
}

/// Checks for as long as the plan says.
///
/// # Errors
/// As for [`Check::start`] and [`Check::finish`]. Faults of the server are in the summary.
pub async fn run(plan: &Plan) -> anyhow::Result<Summary> {
    let check = Check::start(plan).await?;
    let ends = Instant::now() + plan.lasts;
    while let Some(every) = plan.drop_every.filter(|every| Instant::now() + *every < ends) {
        sleep(every).await;
        check.drop_clients(0.1);
    }
    sleep_until(ends).await;
    check.finish().await
}

impl Check {
    /// Starts publishers and subscribers. All is well at this moment: the channels have positions.
    ///
    /// # Errors
    /// A channel has no position: its namespace has no history, or the key is wrong.
    pub async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let first = plan.targets.first().context("no nodes")?;
        let name = first.channel().context("--url: want the path of a relay channel, /ws/CHANNEL")?;
        let mut channels = Vec::new();
        for number in 0..plan.channels {
            let channel = format!("{name}-{number}");
            let top = plan.api(0)?.top(&channel).await.with_context(|| channel.clone())?;
            channels.push((channel, top));
        }
        let starts: Vec<Position> = channels.iter().map(|(_, start)| start.clone()).collect();
        let ledger =
            Ledger::new(&starts, plan.publishers + plan.guest_publishers, plan.subscribers + plan.guests);
        let notes = Arc::new(Mutex::new(Notes { ledger, ..Notes::default() }));
        let (stop, drops) = (CancellationToken::new(), watch::Sender::new(0.0));
        let mut subscribers = JoinSet::new();
        for (number, (channel, _)) in (0..plan.subscribers).zip(channels.iter().cycle()) {
            let subscriber = Subscriber {
                number,
                channel: channel.clone(),
                entrances: plan.entrances(number % plan.channels),
                plan: plan.clone(),
                notes: notes.clone(),
                drops: drops.subscribe(),
            };
            subscribers.spawn(subscriber.stay());
        }
        let mut publishing = JoinSet::new();
        for (number, (channel, _)) in (0..plan.publishers).zip(channels.iter().cycle()) {
            let publisher = Publisher {
                number,
                channel: channel.clone(),
                plan: plan.clone(),
                notes: notes.clone(),
                stop: stop.clone(),
            };
            publishing.spawn(publisher.publish());
        }
        Ok(Self {
            plan: plan.clone(),
            channels,
            notes,
            stop,
            publishing,
            _subscribers: subscribers,
            drops,
            watches: Mutex::default(),
        })
    }

    /// The notes of clients of another program.
    #[must_use]
    pub fn guests(&self) -> Guests {
        Guests {
            plan: self.plan.clone(),
            channels: self.channels.clone(),
            notes: self.notes.clone(),
            drops: self.drops.subscribe(),
            first: (self.plan.subscribers, self.plan.publishers),
        }
    }

    /// Ends the connections of a part of the subscribers, from 0 to 1. They come back.
    pub fn drop_clients(&self, part: f64) {
        self.drops.send_replace(part);
    }

    /// Measures the time from now until every subscriber is whole: until it has a message from each publisher of its
    /// channel, sent later than this moment. Call it when a fault has begun, or ends.
    pub fn watch(&self) {
        let watch = Wholeness::new(self.notes.clone(), self.plan.publishers);
        self.watches.lock().spawn(watch.times(self.plan.patience));
    }

    /// Ends publishing, waits for what is missing, and judges. All is well from this moment on.
    ///
    /// # Errors
    /// The final history of a channel cannot be read.
    pub async fn finish(mut self) -> anyhow::Result<Summary> {
        let watches = std::mem::take(&mut *self.watches.lock());
        let whole = watches.join_all().await.concat();
        self.stop.cancel();
        let all = async { while self.publishing.join_next().await.is_some() {} };
        if tokio::time::timeout(self.plan.patience, all).await.is_err() {
            self.notes.lock().wrong("publishes are not acknowledged long after all faults".to_owned());
        }
        let mut tops = Vec::new();
        for (channel, _) in &self.channels {
            tops.push(
                self.in_time(async |api| api.top(channel).await).await.with_context(|| channel.clone())?,
            );
        }
        self.until_complete_or_quiet(&tops).await;
        let mut histories = Vec::new();
        for (channel, start) in &self.channels {
            histories.push(self.history(channel, start).await.with_context(|| channel.clone())?);
        }
        let mut notes = std::mem::take(&mut *self.notes.lock());
        if self.plan.may_forget && !self.plan.keeping.is_empty() {
            self.judge_keeping(&mut notes, &histories);
        }
        let verdict = if self.plan.fails_over {
            failover::judge(&notes.ledger, &histories)
        } else {
            judge(&notes.ledger, &histories, self.plan.may_forget)
        };
        Ok(Summary::new(&self.plan, verdict, notes, &whole))
    }

    /// Judges the channels on servers that keep their memory: nothing is lost there, and nobody is told.
    fn judge_keeping(&self, notes: &mut Notes, histories: &[Kept]) {
        let keeping = &self.plan.keeping;
        let mut histories = histories.to_vec();
        for (_, others) in histories.iter_mut().enumerate().filter(|(number, _)| !keeping.contains(number)) {
            others.messages.clear();
        }
        let verdict = judge(&notes.ledger.of(keeping), &histories, false);
        if !verdict.is_right() {
            notes.wrong(format!("channels on servers that kept their memory: {verdict:?}"));
        }
    }

    async fn until_complete_or_quiet(&self, tops: &[Position]) {
        // Behind a failover, a subscriber that was not told anything does not know the epoch of the top.
        let patience = if self.plan.fails_over { self.plan.patience.min(QUIET) } else { self.plan.patience };
        let (mut heard, mut since) = (0, Instant::now());
        while !self.notes.lock().ledger.is_complete(tops) && since.elapsed() < patience {
            sleep(LOOK_EVERY).await;
            let now = self.notes.lock().ledger.heard();
            if now != heard {
                (heard, since) = (now, Instant::now());
            }
        }
        sleep(FOR_DOUBLES).await;
    }

    /// The history of a channel since the start of the check.
    async fn history(&self, channel: &str, start: &Position) -> anyhow::Result<Kept> {
        let (top, kept) = self
            .in_time(async |api| {
                let top = api.top(channel).await?;
                let goes_on = self.plan.fails_over || top.epoch == start.epoch;
                let after = if goes_on { start.offset } else { 0 };
                let kept = api.history(channel, after, &top).await?;
                Ok((top, kept))
            })
            .await?;
        let name = |data: &serde_json::Value| data.as_str().and_then(|text| self.plan.name(text.as_bytes()));
        let messages = kept.iter().map(|kept| (kept.offset, name(&kept.data))).collect();
        Ok(Kept { top, messages })
    }

    /// Asks, again and again as long as the plan's patience.
    async fn in_time<T>(&self, ask: impl AsyncFn(&mut Api) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let (mut place, began) = (0, Instant::now());
        loop {
            match ask(&mut self.plan.api(place)?).await {
                Err(_) if began.elapsed() < self.plan.patience => sleep(LOOK_EVERY).await,
                answer => return answer,
            }
            place += 1;
        }
    }
}
