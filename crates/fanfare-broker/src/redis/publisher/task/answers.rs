//! The answers of Redis, as the task takes them.

use std::time::Duration;

use fanfare_core::Channel;
use tokio::time::Instant;

use super::Publisher;
use crate::{
    backoff::Backoff,
    liveness::watchdog::Watchdog,
    redis::{
        connection::{
            code::advice,
            error::ConnectionError,
            resp::{Frame, Reader},
        },
        publisher::under_way::Answered,
        subscriber::request::{Replace, Request},
    },
};

/// The least time between two reports to the subscriber of publications that reached no subscriber.
const UNHEARD_EVERY: Duration = Duration::from_millis(20);

impl Publisher {
    pub(super) fn take_answers(
        &mut self,
        reader: &mut Reader,
        watchdog: &mut Watchdog,
        backoff: &mut Backoff,
    ) -> Result<(), ConnectionError> {
        let mut unheard = None;
        while let Some(frame) = reader.next()? {
            let Frame::Reply(answer) = frame else { continue };
            match self.pipeline.answered(&answer)? {
                Answered::Item => {}
                Answered::Unheard(channel, since) => unheard = Some((channel, since)),
                Answered::Heartbeat(refused) => self.heartbeat_answered(refused),
                Answered::Time(asked, answer) => self.clock_sync.answered(asked.into_std(), answer),
                Answered::Canary(round, answer) => {
                    watchdog.answered();
                    backoff.reset();
                    if let Some(deaf) = self.links.round_answered(round, answer) {
                        let _ = self.requests.send(Request::Replace(Replace::Deaf(deaf)));
                    }
                }
            }
        }
        if let Some((channel, since)) = unheard {
            self.report_unheard(channel, since);
        }
        Ok(())
    }

    /// A publication reached no subscriber. That is deafness where this node is subscribed to the channel. Reported now
    /// and then only: without a subscriber it means nothing, and to wake the other task costs as much as a publish.
    fn report_unheard(&mut self, channel: Channel, since: Instant) {
        let now = Instant::now();
        if self.next_unheard <= now {
            self.next_unheard = now + UNHEARD_EVERY;
            // Where its task has ended, it has no connection to be replaced.
            let _ = self.requests.send(Request::Unheard(channel, since.into_std()));
        }
    }

    /// Says how Redis answers the heartbeat, where that was not said last.
    pub(super) fn heartbeat_answered(&mut self, refused: Option<String>) {
        if let Some(code) = refused.as_ref().filter(|_| self.heartbeat_refused != refused) {
            tracing::warn!(
                "Redis answers {code} to SET of {}: a demoted master will not be noticed; {}",
                self.names.heartbeat(),
                advice(code, "the command set and the keys ~<prefix>!*")
            );
        }
        self.heartbeat_refused = refused;
    }
}
