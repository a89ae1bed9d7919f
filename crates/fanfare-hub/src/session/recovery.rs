//! Recovery: a session joins a channel and gets some of its past first.
//!
//! Invariants
//! - The session gets the past up to the position at which it joined, then all that came since: in one order, nothing
//!   twice, nothing missing.
//! - A recovery from a position is whole, or nothing of the past is sent. In a namespace that gives the newest
//!   publication only, that one is all there is.
//! - The past is read once for all sessions of this node that need it at the same time, and the tail keeps it for those
//!   that come later.

use std::sync::Arc;

use fanfare_core::{
    Access, Action, Channel, CommandError, Epoch, Position, Publication, RecoveryMode, SubscribeError,
};
use tokio::time::{Instant, timeout_at};

use crate::{
    delivery::{
        membership::{Joining, View},
        tails::{
            kept::offset,
            past::{Missing, Past, Reach},
            past_read::PastRead,
            tail::Tail,
        },
    },
    metrics::Recovery,
    session::{
        past_sending::Waiting,
        permission::permit,
        state::Session,
        subscribed::Subscribed,
        subscriptions::{Asked, Confirmed, Subscriptions, Terms},
    },
};

/// The result of a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The session's place in the channel, behind the past.
    pub subscribed: Subscribed,
    /// Whether the session gets all that it asked for. Always where it asked for the newest.
    pub is_whole: bool,
    /// The number of publications of the past.
    pub count: usize,
}

/// A session that joined a channel and did not get the past yet. What comes is held.
#[derive(Debug, Clone)]
pub struct Recovering {
    /// The session's place in the channel, behind the past.
    pub subscribed: Subscribed,
    /// See [`Recovered::is_whole`].
    pub is_whole: bool,
    /// The past, in order.
    pub publications: Vec<Arc<Publication>>,
}

/// The rest of the work, under no lock.
enum Joined {
    /// Nothing.
    Done(Recovering),
    /// The past begins with what this read brings.
    Reads(Recovering, Missing, PastRead),
    /// The node is behind the client.
    Behind(Confirmed),
}

impl Subscriptions {
    /// Subscribes a session to a channel with history, and sends it some of the past before all that comes. The broker
    /// is asked at once.
    ///
    /// # Errors
    /// The session is not subscribed, and why.
    pub fn recover(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
        past: Past,
    ) -> impl Future<Output = Result<Recovered, CommandError>> + Send + use<> {
        let (this, session) = (self.clone(), session.clone());
        let recovering = self.recover_held(&session, channel, past);
        async move {
            let recovering = recovering.await?;
            let count = recovering.publications.len();
            let Recovering { subscribed, is_whole, publications } = recovering;
            this.release_past(&session, &subscribed.channel, publications).await;
            Ok(Recovered { subscribed, is_whole, count })
        }
    }

    /// Subscribes a session as [`Subscriptions::recover`] does, for a caller that sends the past by itself, or later:
    /// what comes is held until [`Subscriptions::release_past`] or [`Subscriptions::release`].
    pub fn recover_held(
        self: &Arc<Self>,
        session: &Arc<Session>,
        channel: &Channel,
        past: Past,
    ) -> impl Future<Output = Result<Recovering, CommandError>> + Send + use<> {
        let (this, session, channel) = (self.clone(), session.clone(), channel.clone());
        let past = this.as_recovered(&channel, past);
        let asked = this.ask_for_past(&session, &channel);
        async move { this.recover_asked(&session, channel, asked, past, &Joining::from(View::Held).into()).await }
    }

    /// Joins a session to a channel once the broker confirmed it, with some of the past.
    pub(crate) async fn recover_asked(
        &self,
        session: &Arc<Session>,
        channel: Channel,
        asked: Result<Option<Asked>, CommandError>,
        past: Past,
        terms: &Terms,
    ) -> Result<Recovering, CommandError> {
        let Some(asked) = asked? else { return Ok(Recovering::nothing(channel)) };
        let joined = self.join_with_past(session, asked, past, terms).await;
        let recovered = joined.and_then(|joined| self.judge_newest(session, joined, past, terms));
        let result = match &recovered {
            Ok((_, result)) => *result,
            Err(CommandError::Unrecoverable) => Recovery::Lost,
            Err(_) => Recovery::Failed,
        };
        self.metrics.history.recovered(result);
        recovered.map(|(recovering, _)| recovering)
    }

    /// The past that a client gets which asks for this one: its namespace may give it only the newest publication.
    pub(crate) fn as_recovered(&self, channel: &Channel, past: Past) -> Past {
        match self.dispatcher.namespaces().of(channel).recovery {
            RecoveryMode::Stream => past,
            RecoveryMode::Cache => past.newest(),
        }
    }

    /// A client that does not have the newest publication may not get it either, where none is kept.
    fn judge_newest(
        &self,
        session: &Session,
        (mut recovering, result): (Recovering, Recovery),
        past: Past,
        terms: &Terms,
    ) -> Result<(Recovering, Recovery), CommandError> {
        let (Past::Newest(_), Some(at)) = (past, recovering.subscribed.position) else {
            return Ok((recovering, result));
        };
        let is_there = |(epoch, offset): (Option<Epoch>, u64)| {
            epoch.is_none_or(|epoch| epoch == at.epoch) && offset == at.offset
        };
        recovering.is_whole = !recovering.publications.is_empty() || past.place().is_some_and(is_there);
        match recovering.is_whole {
            true => Ok((recovering, result)),
            false if terms.must_resume => {
                self.unsubscribe(session, &recovering.subscribed.channel);
                Err(CommandError::Unrecoverable)
            }
            false => Ok((recovering, Recovery::Lost)),
        }
    }

    fn ask_for_past(&self, session: &Arc<Session>, channel: &Channel) -> Result<Option<Asked>, CommandError> {
        self.may_recover(session, channel)?;
        self.ask(session, channel)
    }

    /// Checks that a client that subscribes may read the past.
    ///
    /// # Errors
    /// It may not, and why.
    pub(crate) fn may_recover(&self, session: &Session, channel: &Channel) -> Result<(), CommandError> {
        // A client that recovers becomes a subscriber.
        match self.dispatcher.namespaces().of(channel).history {
            Access::Subscriber => Ok(()),
            access => permit(access, session, channel, Action::ReadHistory),
        }
    }

    async fn join_with_past(
        &self,
        session: &Arc<Session>,
        asked: Asked,
        mut past: Past,
        terms: &Terms,
    ) -> Result<(Recovering, Recovery), CommandError> {
        let mut confirmed = self.confirmed(asked).await?;
        let mut has_caught_up = false;
        loop {
            let until = confirmed.until;
            let joined = self.join_held(session, confirmed, past, terms, has_caught_up)?;
            self.attendance.tell();
            match joined {
                Joined::Done(recovering) => {
                    let result = if recovering.is_whole { Recovery::Tail } else { Recovery::Lost };
                    return Ok((recovering, result));
                }
                Joined::Reads(recovering, missing, read) => {
                    let reaches_back = |after| past.is_any() || after <= missing.after;
                    let read =
                        self.read_past(session, recovering, until, reaches_back, missing, read).await?;
                    if !read.0.is_whole && terms.must_resume {
                        self.unsubscribe(session, &read.0.subscribed.channel);
                        return Err(CommandError::Unrecoverable);
                    }
                    return Ok(read);
                }
                Joined::Behind(behind) => {
                    self.catch_up(&behind, past).await?;
                    has_caught_up = true;
                    past = past.wherever();
                    confirmed = behind;
                }
            }
        }
    }

    /// Joins a session, and takes what the tail has of the past. `has_caught_up`: the history was asked whether there is
    /// anything beyond the tail.
    fn join_held(
        &self,
        session: &Arc<Session>,
        confirmed: Confirmed,
        past: Past,
        terms: &Terms,
        has_caught_up: bool,
    ) -> Result<Joined, CommandError> {
        let mut channels = session.channels.lock();
        if !channels.can_join(confirmed.channel(), confirmed.most)? {
            return Ok(Joined::Done(Recovering::nothing(confirmed.channel().clone())));
        }
        let Some(tail) = confirmed.tail.clone() else {
            // The namespace keeps nothing.
            let is_whole = matches!(past, Past::Last(_));
            if terms.must_resume && !is_whole {
                return Err(CommandError::Unrecoverable);
            }
            let channel = self.join(session, &mut channels, confirmed, terms);
            return Ok(Joined::Done(Recovering { is_whole, ..Recovering::nothing(channel) }));
        };
        let mut state = tail.lock();
        let (tails, before) = (self.dispatcher.tails(), state.tail.bytes());
        state.expire(tails.now());
        tails.account(before, state.tail.bytes());
        state.used = tails.now();
        let reach = state.tail.past(past);
        if matches!(reach, Reach::Ahead) && !has_caught_up {
            return Ok(Joined::Behind(confirmed));
        }
        if terms.must_resume && matches!(reach, Reach::Ahead | Reach::Lost) {
            return Err(CommandError::Unrecoverable);
        }
        let channel = self.join(session, &mut channels, confirmed, terms);
        let subscribed = Subscribed { channel, position: state.tail.position() };
        let recovering = |is_whole, publications| Recovering { subscribed, is_whole, publications };
        Ok(match reach {
            Reach::Whole(publications) => Joined::Done(recovering(true, publications)),
            Reach::Part(publications, missing) => {
                let read = self.reader.past(&tail, &mut state, missing);
                Joined::Reads(recovering(true, publications), missing, read)
            }
            Reach::Ahead | Reach::Lost => Joined::Done(recovering(false, Vec::new())),
        })
    }

    /// Waits for the part of the past that the tail does not have.
    async fn read_past(
        &self,
        session: &Session,
        mut recovering: Recovering,
        until: Instant,
        reaches_back: impl Fn(u64) -> bool,
        missing: Missing,
        read: PastRead,
    ) -> Result<(Recovering, Recovery), CommandError> {
        let channel = recovering.subscribed.channel.clone();
        let mut waiting = Waiting { subscriptions: self, session, channel: &channel, is_over: false };
        let Ok(older) = timeout_at(until, read.older).await else {
            return Err(SubscribeError::Unavailable.into());
        };
        waiting.is_over = true;
        if !reaches_back(older.after) {
            let lost = Recovering { is_whole: false, publications: Vec::new(), ..recovering };
            return Ok((lost, Recovery::Lost));
        }
        let is_missing = |publication: &&Arc<Publication>| {
            (missing.after + 1..missing.before).contains(&offset(publication))
        };
        let kept = std::mem::take(&mut recovering.publications);
        recovering.publications = older.publications.iter().filter(is_missing).cloned().chain(kept).collect();
        Ok((recovering, Recovery::Read))
    }

    /// A client knows a position beyond the tail, or of another epoch, as another node may have seen: asks the history,
    /// and waits until the tail has what there is.
    async fn catch_up(&self, confirmed: &Confirmed, past: Past) -> Result<(), CommandError> {
        let (Some((epoch, offset)), Some(tail)) = (past.place(), &confirmed.tail) else { return Ok(()) };
        let checked = tail.lock().checks;
        self.dispatcher.change_tail(tail, |state, effects| {
            let is_ours = epoch == state.tail.position().map(|at| at.epoch);
            if is_ours || epoch.is_none() || state.tail.knows_origin() {
                self.dispatcher.tails().note(|work| work.check.push(tail.clone()));
            } else {
                // A read tells whether this epoch goes on from that of the client.
                state.tail.suspect(effects);
            }
        });
        let has = |tail: &Tail| match (epoch, tail.position()) {
            (Some(epoch), Some(at)) => {
                tail.offset_of(Position { epoch, offset }).is_some_and(|offset| offset <= at.offset)
            }
            (None, Some(at)) => offset <= at.offset,
            (_, None) => false,
        };
        let caught_up =
            tail.until(|state| has(&state.tail) || (state.checks > checked && state.tail.is_live()));
        timeout_at(confirmed.until, caught_up).await.map_err(|_| SubscribeError::Unavailable.into())
    }
}

impl Recovering {
    fn nothing(channel: Channel) -> Self {
        let subscribed = Subscribed { channel, position: None };
        Self { subscribed, is_whole: false, publications: Vec::new() }
    }
}
