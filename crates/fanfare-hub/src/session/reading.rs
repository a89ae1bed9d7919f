//! Reads the histories and the presence of channels for clients.
//!
//! Invariant: an answer has at most half the bytes that may wait for a connection, and one publication in any case.

use std::{future::Future, sync::Arc};

use arc_swap::ArcSwap;
use fanfare_core::{
    Action, Channel, CommandError, History, Limits, Position, Presence, Publication, Reply,
    command::{HistoryQuery, RequestId, ResumeEpoch},
    presence::PresenceError,
};
use tokio::time::timeout;

use crate::{
    delivery::{
        batch::cost,
        dispatcher::Dispatcher,
        part::{self, Bounds, Part, PartError},
    },
    session::{permission::permit, state::Session},
};

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
            namespace.permits_name(channel)?;
            (namespace.history, namespace.retention.is_some())
        };
        if !keeps {
            return Err(CommandError::NotAvailable("a history", "`history_size`"));
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
            namespace.permits_name(channel)?;
            (namespace.presence, namespace.tracks_presence)
        };
        if !tracks {
            return Err(CommandError::NotAvailable("presence", "`track_presence`"));
        }
        permit(access, session, channel, Action::SeePresence)?;
        let answer = async {
            let reply = match question {
                Question::Who => {
                    self.presence.members(channel).await.map(|entries| Reply::Presence { id, entries })
                }
                Question::HowMany => {
                    self.presence.stats(channel).await.map(|stats| Reply::PresenceStats { id, stats })
                }
            };
            reply.map_err(|error: PresenceError| CommandError::Unavailable(error.to_string()))
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
        let bounds = {
            let limits = self.limits.load();
            Bounds { bytes: limits.outbound_bytes / 2, message_bytes: limits.message_bytes, cost }
        };
        let since = match query.since {
            None => None,
            Some(since) => match since.epoch {
                ResumeEpoch::Any => Some((since.offset, None)),
                ResumeEpoch::Is(epoch) => Some((since.offset, Some(epoch))),
                ResumeEpoch::Foreign => return Err(CommandError::Unrecoverable),
            },
        };
        let limit = query.limit.and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.map_or(Part::MOST, |limit| limit.min(Part::MOST));
        let part = Part { limit, since, reverse: query.reverse };
        part::read(&*self.history, channel, part, bounds).await.map_err(|error| match error {
            PartError::History(error) => CommandError::Unavailable(error.to_string()),
            PartError::AnotherEpoch { .. } => CommandError::Unrecoverable,
        })
    }
}
