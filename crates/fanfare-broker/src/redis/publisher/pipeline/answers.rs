//! The answers of Redis, and their meaning for the items.

use fanfare_core::Taken;
use tokio::time::Instant;

use super::Pipeline;
use crate::redis::{
    clock::offset,
    connection::{
        code::{DEMOTED, NotRun, OUT_OF_MEMORY, advice, code, forbids_channel},
        error::ConnectionError,
        resp::{Malformed, Value},
    },
    publisher::{
        outgoing::{Outgoing, OutgoingMessage},
        script::{MISSING, Outcome, Ran, ran, refusal},
        under_way::{Answered, Attempt, Written},
    },
};

const NO_NUMBER: Malformed = Malformed("no number in answer to PUBLISH");

impl Pipeline {
    /// Redis answered the first command that is under way.
    ///
    /// # Errors
    /// Where the connection cannot be used any more.
    pub(crate) fn answered(&mut self, answer: &Value) -> Result<Answered, ConnectionError> {
        let Some((_, written)) = self.under_way.pop_front() else {
            return Err(Malformed("an answer without a command").into());
        };
        self.metrics.sent(written.kind());
        if let Value::Error(error) = answer {
            self.metrics.error(&code(error));
        }
        if let Value::Error(error) = answer
            && let Some(why) = NotRun::of(error)
        {
            return Ok(self.not_run(written, why, error));
        }
        match (written, answer) {
            (Written::Item(attempt), answer) => self.item_answered(attempt, answer),
            (Written::Script, answer) => {
                self.writer.script.answered(answer);
                Ok(Answered::Item)
            }
            (Written::Heartbeat, Value::Error(error)) if code(error) == DEMOTED => {
                Err(ConnectionError::Demoted)
            }
            (Written::Heartbeat, Value::Error(error)) => {
                let code = code(error);
                self.due.extension |= code == OUT_OF_MEMORY;
                Ok(Answered::Heartbeat(Some(code)))
            }
            (Written::Heartbeat, _) => Ok(Answered::Heartbeat(None)),
            // The answer to the heartbeat has said what is wrong.
            (Written::Extension, _) => Ok(Answered::Item),
            (Written::Time(asked), answer) => Ok(Answered::Time(asked, time(answer))),
            (Written::Canary(round), Value::Int(receivers)) => Ok(Answered::Canary(round, Ok(*receivers))),
            (Written::Canary(round), Value::Error(error)) => Ok(Answered::Canary(round, Err(code(error)))),
            (Written::Canary(_), _) => Err(NO_NUMBER.into()),
        }
    }

    fn item_answered(&mut self, attempt: Attempt, answer: &Value) -> Result<Answered, ConnectionError> {
        let ran = match answer {
            Value::Int(receivers) => Some(Ran { outcome: Outcome::Delivered(*receivers), position: None }),
            Value::Error(error) if code(error) == MISSING => {
                self.script_is_missing(attempt);
                return Ok(Answered::Item);
            }
            Value::Error(error) => return self.item_refused(attempt, error),
            answer => ran(answer),
        };
        self.course.ran();
        let Some(Ran { outcome, position }) = ran else {
            self.outcome_unknown(*attempt.item);
            return Err(NO_NUMBER.into());
        };
        let Attempt { item, sequence, .. } = attempt;
        let Outgoing { message, since, .. } = *item;
        let OutgoingMessage::Publication { channel, ticket, .. } = message else {
            return Ok(Answered::Item);
        };
        let duplicate = outcome == Outcome::Duplicate;
        if !duplicate {
            self.writer.last_taken.took(&channel, sequence);
        }
        ticket.taken(Taken { position, duplicate });
        Ok(if outcome == Outcome::Delivered(0) { Answered::Unheard(channel, since) } else { Answered::Item })
    }

    fn item_refused(&mut self, attempt: Attempt, error: &[u8]) -> Result<Answered, ConnectionError> {
        let code = code(error);
        if code == "CROSSSLOT" {
            tracing::error!("Redis answers CROSSSLOT to a publish: {}", advice(&code, ""));
        }
        let why = refusal(error, attempt.item.needs_script());
        let Attempt { item, may_have_run, .. } = attempt;
        match *item {
            // It may have run before, on this Redis or on its present master. The script looks at that
            // before it can be refused memory, but not before Redis can refuse the script.
            item if may_have_run && code != OUT_OF_MEMORY => self.outcome_unknown(item),
            Outgoing { message: OutgoingMessage::Publication { ticket, .. }, .. }
                if forbids_channel(error) =>
            {
                ticket.forbid(why);
            }
            item => self.refuse(item, &why),
        }
        // Encoded items of its publish order must not be written: all are encoded anew, except those. Items that wait
        // are looked at when their turn comes.
        self.take_back();
        if code == DEMOTED { Err(ConnectionError::Demoted) } else { Ok(Answered::Item) }
    }

    /// A node of a Cluster did not run a command.
    fn not_run(&mut self, written: Written, why: NotRun, error: &[u8]) -> Answered {
        match why {
            NotRun::Moved => self.leave(Instant::now()),
            NotRun::Later => {}
        }
        match written {
            Written::Item(attempt) => {
                if why == NotRun::Later {
                    self.course.wait(code(error), Instant::now());
                }
                self.replays.insert(attempt);
                self.take_back();
                Answered::Item
            }
            // A round that is sent away says nothing of Redis. One that no node takes does.
            Written::Canary(round) if why == NotRun::Later => Answered::Canary(round, Err(code(error))),
            _ => Answered::Item,
        }
    }

    /// Redis did not run it, because it does not have the script.
    fn script_is_missing(&mut self, attempt: Attempt) {
        match self.writer.script.refusal() {
            Some(_) if attempt.may_have_run => self.outcome_unknown(*attempt.item),
            Some(why) => self.refuse(*attempt.item, &why),
            None => {
                self.writer.script.lost();
                self.stalled = true;
                self.replays.insert(attempt);
            }
        }
        self.take_back();
    }
}

/// The answer to `TIME`, or the code word of an error.
fn time(answer: &Value) -> Result<u64, String> {
    match answer {
        Value::Error(error) => Err(code(error)),
        answer => offset::time(answer).ok_or_else(|| "something else".to_owned()),
    }
}
