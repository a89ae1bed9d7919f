//! Reads the histories and the presence of channels for clients.
//!
//! Invariant: an answer has at most [`MOST`] publications, of at most half the bytes that may wait for a connection (plus
//! one message). An answer that was cut is shorter than its limit: a next read goes on behind it.

use std::{future::Future, sync::Arc};

use arc_swap::ArcSwap;
use fanfare_core::{
    Channel, CommandError, History, Limits, Position, Presence, Publication, Reply,
    command::{HistoryQuery, RequestId, ResumeEpoch},
    history::{Page, Range},
    reply::Action,
};
use tokio::time::timeout;

use crate::{
    delivery::{batch::cost, dispatcher::Dispatcher, tails::kept::offset},
    session::{permission::permit, state::Session},
};

/// The most publications of an answer, as of the HTTP API.
const MOST: usize = 10_000;

/// Reads for clients.
pub(crate) struct Reading {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) limits: Arc<ArcSwap<Limits>>,
}

/// The presence of a channel that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// The clients.
    Who,
    /// Their number.
    HowMany,
}

impl Reading {
    /// Reads a part of a channel's history.
    pub(crate) async fn history(
        &self,
        session: &Session,
        id: RequestId,
        channel: &Channel,
        query: HistoryQuery,
    ) -> Result<Reply, CommandError> {
        let (access, keeps) = {
            let namespaces = self.dispatcher.namespaces();
            let namespace = namespaces.of(channel);
            (namespace.history, namespace.retention.is_some())
        };
        if !keeps {
            return Err(CommandError::NotAvailable("a history", "`history`"));
        }
        permit(access, session, channel, Action::ReadHistory)?;
        if query.reverse && query.since.is_some_and(|since| since.offset == 0) {
            return Err(CommandError::BadRequest(
                "nothing is before the offset 0: read in reverse from a later offset, or without one",
            ));
        }
        let (top, publications) = self.in_time(self.read(channel, query)).await?;
        Ok(Reply::History { id, top, publications })
    }

    /// Reads the presence of a channel.
    pub(crate) async fn presence(
        &self,
        session: &Session,
        id: RequestId,
        channel: &Channel,
        question: Question,
    ) -> Result<Reply, CommandError> {
        let (access, tracks) = {
            let namespaces = self.dispatcher.namespaces();
            let namespace = namespaces.of(channel);
            (namespace.presence, namespace.tracks_presence)
        };
        if !tracks {
            return Err(CommandError::NotAvailable("presence", "`presence`"));
        }
        permit(access, session, channel, Action::SeePresence)?;
        let answer = async {
            Ok(match question {
                Question::Who => Reply::Presence { id, entries: self.presence.members(channel).await? },
                Question::HowMany => Reply::PresenceStats { id, stats: self.presence.stats(channel).await? },
            })
        };
        let answer = async {
            answer.await.map_err(|error: fanfare_core::presence::PresenceError| unavailable(&error))
        };
        self.in_time(answer).await
    }

    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, CommandError>>,
    ) -> Result<T, CommandError> {
        let patience = self.limits.load().handshake;
        let late = || Err(CommandError::Unavailable("the message broker did not answer in time".to_owned()));
        timeout(patience, answer).await.unwrap_or_else(|_| late())
    }

    async fn read(
        &self,
        channel: &Channel,
        query: HistoryQuery,
    ) -> Result<(Position, Vec<Arc<Publication>>), CommandError> {
        let (most_bytes, page_size) = {
            let limits = self.limits.load();
            let most_bytes = limits.outbound_bytes / 2;
            (most_bytes, (most_bytes / limits.message_bytes.max(1)).max(1))
        };
        let limit = query.limit.map_or(MOST, |limit| usize::try_from(limit).unwrap_or(MOST).min(MOST));
        let mut part = Part { reverse: query.reverse, told: Vec::new(), bytes: 0, most_bytes };
        let mut behind = query.since.map(|since| since.offset);
        let mut top: Option<Position> = None;
        loop {
            let wanted = (limit - part.told.len()).min(page_size);
            let page = self.history.read(channel, part.range(behind, wanted)).await;
            let page = page.map_err(|error| unavailable(&error))?;
            judge(query, &page)?;
            if top.is_some_and(|first| first.epoch != page.top.epoch) {
                // It began anew between two pages: the answer ends before.
                break;
            }
            let newest = *top.insert(page.top);
            let count = page.publications.len();
            let has_room = part.take(page);
            behind = part.told.last().map(offset).or(behind);
            if !has_room || count < wanted || part.told.len() >= limit {
                return Ok((newest, part.told));
            }
        }
        top.map(|top| (top, part.told)).ok_or(CommandError::Unrecoverable)
    }
}

/// Checks that a page is of the epoch that the client names.
fn judge(query: HistoryQuery, page: &Page) -> Result<(), CommandError> {
    match query.since.map(|since| since.epoch) {
        Some(ResumeEpoch::Foreign) => Err(CommandError::Unrecoverable),
        Some(ResumeEpoch::Is(epoch)) if epoch != page.top.epoch => Err(CommandError::Unrecoverable),
        _ => Ok(()),
    }
}

fn unavailable(error: &dyn std::error::Error) -> CommandError {
    CommandError::Unavailable(error.to_string())
}

/// The part of a history that was read until now.
struct Part {
    reverse: bool,
    told: Vec<Arc<Publication>>,
    bytes: usize,
    most_bytes: usize,
}

impl Part {
    fn range(&self, behind: Option<u64>, limit: usize) -> Range {
        if self.reverse {
            Range::Before { offset: behind, limit }
        } else {
            Range::After { offset: behind.unwrap_or(0), limit }
        }
    }

    /// Takes the publications of a page in their order, as long as their bytes fit, and the first of an answer in any
    /// case. Whether all fit.
    fn take(&mut self, page: Page) -> bool {
        let mut publications = page.publications;
        if self.reverse {
            publications.reverse();
        }
        for publication in publications {
            self.bytes += cost(&publication);
            if self.bytes > self.most_bytes && !self.told.is_empty() {
                return false;
            }
            self.told.push(publication);
        }
        true
    }
}
