//! Carries out the commands of clients.
//!
//! Invariants
//! - A subscribe is answered after the session joined the channel, and in a dialect with a connect command before the
//!   first publication behind its position.
//! - A command never waits for a command with another ordering key, see `session::pending`. Only behind a connect all
//!   wait.
//! - The subscribes of one message reach the broker together. Replies that are ready together leave together.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use fanfare_core::{Answer, Channel, Command, Disconnect, Reply};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio_util::task::TaskTracker;

use crate::session::{
    attempts::Attempts,
    connecting::judge_order,
    pending::{Attempt, Attempted, OrderingKey, Pending},
    phase::Phase,
    publisher::Publisher,
    state::Session,
    subscriptions::Subscriptions,
    writer::Writer,
};

/// Carries out the commands of clients.
pub struct Commands {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) attempts: Attempts,
    pub(crate) writer: Arc<Writer>,
    pub(crate) tasks: TaskTracker,
}

/// The answers that leave together.
#[derive(Default)]
struct Answers {
    replies: Vec<Reply>,
    /// The channels whose held publications follow.
    held: Vec<Channel>,
    /// The end of the session, behind all of them.
    end: Option<Disconnect>,
    /// The number of commands that waited and are answered by this.
    waited: usize,
}

impl Answers {
    fn add(&mut self, attempted: Attempted) {
        self.held.extend(attempted.held);
        match attempted.answer {
            Ok(reply) => self.replies.extend(reply),
            Err(disconnect) => self.end = self.end.take().or(Some(disconnect)),
        }
    }
}

impl Commands {
    /// Carries out a command, or begins to. A reply that is ready at once is appended to `replies`; a later reply is
    /// sent when it is ready.
    ///
    /// # Errors
    /// The command ends the session.
    #[inline]
    pub(crate) fn begin(
        self: &Arc<Self>,
        session: &Arc<Session>,
        command: Command,
        replies: &mut Vec<Reply>,
    ) -> Result<(), Disconnect> {
        // The relay's publishes: nothing waits before them.
        match command {
            Command::Publish { id, channel, payload }
                if session.kind.connects.is_none() && session.pending().is_none() =>
            {
                self.publisher.publish(session, id, channel, payload);
                Ok(())
            }
            command => self.begin_in_order(session, command, replies),
        }
    }

    /// Carries out a command behind a connect that waits, and behind those with its ordering key.
    fn begin_in_order(
        self: &Arc<Self>,
        session: &Arc<Session>,
        mut command: Command,
        replies: &mut Vec<Reply>,
    ) -> Result<(), Disconnect> {
        if session.kind.connects.is_some()
            && let Some(pending) = session.pending()
        {
            match pending.queue_behind_connect(command) {
                None => return Ok(()),
                Some(returned) => command = returned,
            }
        }
        self.begin_behind_its_key(session, command, replies)
    }

    /// Carries out a command behind those with its ordering key, or begins to.
    fn begin_behind_its_key(
        self: &Arc<Self>,
        session: &Arc<Session>,
        mut command: Command,
        replies: &mut Vec<Reply>,
    ) -> Result<(), Disconnect> {
        if let Some(pending) = session.pending() {
            match pending.queue(command) {
                None => return Ok(()),
                Some(returned) => command = returned,
            }
        }
        let is_connect = matches!(command, Command::Connect(_));
        if let Some((key, attempt)) = self.carry_out(session, command, replies)?
            && session.pending_or_new().begin(key, attempt, is_connect)
        {
            self.tasks.spawn(self.clone().drive(session.clone()));
        }
        Ok(())
    }

    /// Carries out a command. For one that has to wait, the attempt that the caller waits for.
    ///
    /// # Errors
    /// The command ends the session.
    fn carry_out(
        &self,
        session: &Arc<Session>,
        command: Command,
        replies: &mut Vec<Reply>,
    ) -> Result<Option<(OrderingKey, Attempt)>, Disconnect> {
        judge_order(session, &command)?;
        Ok(match command {
            Command::Publish { id, channel, payload } => {
                if self.publisher.asks(session, &channel) {
                    let attempt = self.publisher.publish_by_hook(session, id, channel.clone(), payload);
                    attempt.map(|attempt| (OrderingKey::Channel(channel), attempt))
                } else {
                    self.publisher.publish(session, id, channel, payload);
                    None
                }
            }
            Command::Unsubscribe { id, channel } => {
                self.subscriptions.unsubscribe(session, &channel);
                replies.push(Reply::Unsubscribed { id, channel });
                None
            }
            Command::Subscribe { id, channel, options } => {
                let attempt = self.attempts.subscribe(session, id, channel.clone(), options);
                Some((OrderingKey::Channel(channel), attempt))
            }
            Command::Connect(_) | Command::Refresh { .. } => self.identify(session, command)?,
            reads => {
                let key = OrderingKey::of(&reads);
                Some((key, self.attempts.of(session, reads)))
            }
        })
    }

    /// Carries out a command about the client itself. An answer that is ready at once leaves at once: before those to
    /// the commands behind it.
    fn identify(
        &self,
        session: &Arc<Session>,
        command: Command,
    ) -> Result<Option<(OrderingKey, Attempt)>, Disconnect> {
        let is_connect = matches!(command, Command::Connect(_));
        let mut attempt = self.attempts.of(session, command);
        if let Poll::Ready(attempted) = attempt.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            let mut answers = Answers::default();
            answers.add(attempted);
            return self.send(session, answers).map_or(Ok(None), Err);
        }
        if is_connect {
            session.set_phase(Phase::Connecting);
        }
        Ok(Some((OrderingKey::Connection, attempt)))
    }

    /// Waits for a session's attempts, and carries out the commands behind them, until no command waits.
    async fn drive(self: Arc<Self>, session: Arc<Session>) {
        let Some(pending) = session.pending() else { return };
        let mut attempts = FuturesUnordered::new();
        poll_fn(|cx| {
            attempts.extend(pending.take_starting());
            let mut answers = Answers::default();
            while let Poll::Ready(Some(attempted)) = attempts.poll_next_unpin(cx) {
                let key = attempted.key.clone();
                answers.add(attempted);
                if key == OrderingKey::Connection {
                    self.send_and_end(&session, pending, std::mem::take(&mut answers));
                }
                attempts.extend(self.follow(&session, &key, &mut answers));
            }
            self.send_and_end(&session, pending, answers);
            pending.poll_rest(attempts.is_empty(), cx)
        })
        .await;
    }

    /// Carries out the commands behind the first one with `key`, up to the next one that has to wait. Behind one that
    /// ends the session, nothing is carried out.
    fn follow(
        self: &Arc<Self>,
        session: &Arc<Session>,
        key: &OrderingKey,
        answers: &mut Answers,
    ) -> Option<Attempt> {
        let pending = session.pending()?;
        loop {
            answers.waited += 1;
            let command = pending.next(key)?;
            if answers.end.is_some() {
                continue;
            }
            let replies = &mut answers.replies;
            let followed = if OrderingKey::of(&command) == *key {
                self.carry_out(session, command, replies).map(|waits| waits.map(|(_, attempt)| attempt))
            } else {
                // It waited for the connect.
                self.begin_behind_its_key(session, command, replies).map(|()| None)
            };
            match followed {
                Ok(None) => {}
                Ok(waits) => return waits,
                Err(disconnect) => answers.end = Some(disconnect),
            }
        }
    }

    fn send_and_end(&self, session: &Arc<Session>, pending: &Pending, answers: Answers) {
        let waited = answers.waited;
        if let Some(disconnect) = self.send(session, answers) {
            self.writer.goodbyes.end(session, &disconnect);
        }
        pending.answered(waited);
    }

    /// Sends answers, and what was held until now behind them. The result: the end of the session, if there is one.
    fn send(&self, session: &Arc<Session>, answers: Answers) -> Option<Disconnect> {
        let Answers { replies, held, mut end, .. } = answers;
        let mut messages = Vec::new();
        for reply in replies {
            match session.dialect().reply(&reply) {
                Answer::Nothing => {}
                Answer::Send(message) => messages.push(message),
                Answer::End(disconnect) => end = end.or(Some(disconnect)),
            }
        }
        if held.is_empty() {
            self.writer.send_all(session, messages);
        } else {
            self.subscriptions.release_all(session, messages, &held);
        }
        end
    }
}
