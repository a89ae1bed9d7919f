//! Histories in memory. A test accepts publications here, and decides which of them the node is told.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use fanfare_core::{
    Attributes, Channel, Epoch, History, Payload, Position, Publication,
    history::{HistoryError, HistoryFuture, Page, Range},
};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::channel;

/// See the head of this file.
pub(crate) struct Histories {
    channels: Mutex<HashMap<Channel, Kept>>,
    fails: AtomicBool,
    reads: AtomicUsize,
    tops: AtomicUsize,
    /// While `true`, answers are held back. They are of the moment of the question.
    held: watch::Sender<bool>,
}

#[derive(Clone)]
struct Kept {
    epoch: Epoch,
    top: u64,
    continues: Vec<Position>,
    kept: Vec<(u64, String)>,
    /// Whether a publication's text is its tag `n` too.
    is_tagged: bool,
}

impl Kept {
    fn position(&self) -> Position {
        Position { epoch: self.epoch, offset: self.top }
    }

    fn read(&self, channel: &Channel, range: Range) -> Page {
        let publications = self.kept.iter().map(|(offset, text)| self.publication(channel, *offset, text));
        let publications = match range {
            Range::After { offset, limit } => {
                publications.filter(|found| at(found) > offset).take(limit).collect()
            }
            Range::Before { offset, limit } => {
                let before = offset.unwrap_or(u64::MAX);
                let found: Vec<_> = publications.filter(|found| at(found) < before).collect();
                found[found.len().saturating_sub(limit)..].to_vec()
            }
        };
        Page { top: self.position(), publications, continues: self.continues.clone() }
    }

    fn publication(&self, channel: &Channel, offset: u64, text: &str) -> Arc<Publication> {
        let position = Position { epoch: self.epoch, offset };
        Arc::new(self.tagged(channel, text).at(Some(position)))
    }

    fn tagged(&self, channel: &Channel, text: &str) -> Publication {
        let tags = vec![("n".to_owned(), text.to_owned())];
        let attributes = self.is_tagged.then(|| Box::new(Attributes { tags, ..Attributes::default() }));
        Publication::new(channel.clone(), Payload::text(text), None).with_attributes(attributes)
    }
}

fn at(publication: &Publication) -> u64 {
    publication.position.unwrap().offset
}

impl Histories {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            channels: Mutex::default(),
            fails: AtomicBool::new(false),
            reads: AtomicUsize::new(0),
            tops: AtomicUsize::new(0),
            held: watch::Sender::new(false),
        })
    }

    /// Accepts publications whose texts are their offsets: as the broker would deliver them.
    pub(crate) fn accept(&self, name: &str, count: usize) -> Vec<Publication> {
        self.change(name, |kept| {
            (0..count)
                .map(|_| {
                    kept.top += 1;
                    let text = kept.top.to_string();
                    kept.kept.push((kept.top, text.clone()));
                    kept.tagged(&channel(name), &text).at(Some(kept.position()))
                })
                .collect()
        })
    }

    /// From now on each publication has its text as the tag `n` too.
    pub(crate) fn tag(&self, name: &str) {
        self.change(name, |kept| kept.is_tagged = true);
    }

    /// Keeps only the newest publications.
    pub(crate) fn trim(&self, name: &str, newest: usize) {
        self.change(name, |kept| drop(kept.kept.drain(..kept.kept.len().saturating_sub(newest))));
    }

    /// Goes on under another epoch after a failover that lost the newest publications.
    pub(crate) fn fail_over(&self, lost: usize) {
        for kept in self.channels.lock().values_mut() {
            kept.kept.truncate(kept.kept.len() - lost);
            kept.top -= lost as u64;
            kept.continues.insert(0, kept.position());
            kept.epoch = Epoch(kept.epoch.0 + 1);
        }
    }

    /// Loses all, and goes on under another epoch.
    pub(crate) fn lose(&self, name: &str) {
        self.change(name, |kept| {
            *kept = Kept {
                epoch: Epoch(kept.epoch.0 + 1),
                top: 0,
                continues: Vec::new(),
                kept: Vec::new(),
                is_tagged: kept.is_tagged,
            };
        });
    }

    pub(crate) fn position(&self, name: &str, offset: u64) -> Position {
        self.change(name, |kept| Position { offset, ..kept.position() })
    }

    /// The newest offset.
    pub(crate) fn top(&self, name: &str) -> u64 {
        self.change(name, |kept| kept.top)
    }

    /// From now on questions fail, or do not.
    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// From now on answers are held back, or no more.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// The number of reads since the last call.
    pub(crate) fn reads(&self) -> usize {
        self.reads.swap(0, Ordering::Relaxed)
    }

    /// The number of questions for tops since the last call.
    pub(crate) fn tops_asked(&self) -> usize {
        self.tops.swap(0, Ordering::Relaxed)
    }

    fn change<T>(&self, name: &str, change: impl FnOnce(&mut Kept) -> T) -> T {
        self.of(&channel(name), change)
    }

    fn of<T>(&self, channel: &Channel, change: impl FnOnce(&mut Kept) -> T) -> T {
        let mut channels = self.channels.lock();
        let new =
            || Kept { epoch: Epoch(1), top: 0, continues: Vec::new(), kept: Vec::new(), is_tagged: false };
        change(channels.entry(channel.clone()).or_insert_with(new))
    }

    fn answer<T: Send + 'static>(&self, answer: T) -> HistoryFuture<T> {
        let fails = self.fails.load(Ordering::Relaxed);
        let mut held = self.held.subscribe();
        Box::pin(async move {
            held.wait_for(|held| !held).await.unwrap();
            if fails { Err(HistoryError("the test said so".into())) } else { Ok(answer) }
        })
    }
}

impl History for Histories {
    fn read(&self, channel: &Channel, range: Range) -> HistoryFuture<Page> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let page = self.of(channel, |kept| kept.read(channel, range));
        self.answer(page)
    }

    fn tops(&self, channels: &[Channel]) -> HistoryFuture<Vec<Position>> {
        self.tops.fetch_add(1, Ordering::Relaxed);
        let tops = channels.iter().map(|channel| self.of(channel, |kept| kept.position())).collect();
        self.answer(tops)
    }

    fn remove(&self, channel: &Channel) -> HistoryFuture<()> {
        self.of(channel, |kept| kept.kept.clear());
        self.answer(())
    }
}
