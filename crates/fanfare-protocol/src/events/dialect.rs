//! The dialect, in its forms.

use fanfare_core::{
    Answer, Cursor, Dialect, Disconnect, EncodingId, Goodbye, Liveness, Message, Ping, Publication, Push,
    Reply, reply::Subscription,
};
use serde::Serialize;

use super::{block, item, notice::Notice};
use crate::{
    encoding::{EVENTS_OF_ONE, EVENTS_OF_SEVERAL, ITEMS},
    relay::close_frame,
};

/// The dialect; see the [module](super).
#[derive(Debug, Clone, Copy)]
pub struct Events(Form);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Server-Sent Events whose data is a payload.
    EventsOfOne,
    /// Server-Sent Events whose data is an item.
    EventsOfSeveral,
    /// An item on each line.
    Lines,
    /// Items in the answer to a poll. Its client is told nothing else: its next poll is judged anew.
    Polls,
}

/// A notice with a cursor, as a line.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    #[serde(flatten)]
    notice: Notice<'a>,
}

impl Events {
    /// Server-Sent Events of one channel, which the address names.
    #[must_use]
    pub const fn of_one() -> Self {
        Self(Form::EventsOfOne)
    }

    /// Server-Sent Events of several channels, which they name.
    #[must_use]
    pub const fn of_several() -> Self {
        Self(Form::EventsOfSeveral)
    }

    /// Lines of JSON.
    #[must_use]
    pub const fn lines() -> Self {
        Self(Form::Lines)
    }

    /// The answers to polls.
    #[must_use]
    pub const fn polls() -> Self {
        Self(Form::Polls)
    }

    /// A gap, which a poll is told too. Lines and polls share its bytes.
    fn gap(self, mark: &Publication) -> Message {
        let form = if self.0 == Form::Polls { Form::Lines } else { self.0 };
        let notice = Self(form).notice(Notice::gap(&mark.channel), item::cursor(mark));
        notice.unwrap_or_else(|| message(String::new()))
    }

    fn notice(self, notice: Notice<'_>, cursor: Option<Cursor>) -> Option<Message> {
        match self.0 {
            Form::EventsOfOne | Form::EventsOfSeveral => {
                Some(message(block::block(cursor, Some(block::NOTICE), &item::json(&notice))))
            }
            Form::Lines => {
                let cursor = cursor.map(|cursor| cursor.to_string());
                Some(message(item::json(&Line { cursor, notice })))
            }
            Form::Polls => None,
        }
    }
}

impl Dialect for Events {
    fn name(&self) -> &'static str {
        match self.0 {
            Form::EventsOfOne | Form::EventsOfSeveral => "sse",
            Form::Lines => "stream",
            Form::Polls => "poll",
        }
    }

    fn encoding(&self) -> EncodingId {
        match self.0 {
            Form::EventsOfOne => EVENTS_OF_ONE,
            Form::EventsOfSeveral => EVENTS_OF_SEVERAL,
            Form::Lines | Form::Polls => ITEMS,
        }
    }

    fn publication(&self, publication: &Publication) -> Message {
        if publication.is_gap() {
            return self.gap(publication);
        }
        message(match self.0 {
            Form::EventsOfOne => block::verbatim(publication),
            Form::EventsOfSeveral => block::of(publication, &item::without_cursor(publication)),
            Form::Lines | Form::Polls => item::with_cursor(publication),
        })
    }

    fn tells_gaps(&self) -> bool {
        true
    }

    fn reply(&self, reply: &Reply) -> Answer {
        match reply {
            Reply::Subscribed { channel, subscription, .. } => {
                let (notice, cursor) = Notice::subscribed(channel, subscription);
                self.notice(notice, cursor).map_or(Answer::Nothing, Answer::Send)
            }
            // The client sends no commands.
            _ => Answer::Nothing,
        }
    }

    fn liveness(&self) -> Liveness {
        Liveness::AnyWrite
    }

    fn ping(&self) -> Ping {
        match self.0 {
            Form::EventsOfOne | Form::EventsOfSeveral => Ping::Message(message(block::COMMENT.to_owned())),
            Form::Lines => Ping::Message(message(String::new())),
            // None: it would be the answer.
            Form::Polls => Ping::Transport,
        }
    }

    fn push(&self, push: &Push) -> Option<Message> {
        match push {
            Push::Subscribed { channel, position, .. } => {
                let cursor = position.map(|position| Cursor::of(channel, position));
                let (notice, _) = Notice::subscribed(channel, &Subscription::default());
                self.notice(notice, cursor)
            }
            Push::Unsubscribed { channel, reason } => {
                self.notice(Notice::unsubscribed(channel, *reason), None)
            }
            Push::Refreshed { expires_in } => {
                let expires_in = expires_in.map(|left| left.as_secs());
                self.notice(Notice::Expiring { expires_in }, None)
            }
            Push::Message(_) => None,
        }
    }

    fn goodbye(&self, disconnect: &Disconnect) -> Goodbye {
        let frame = close_frame(disconnect);
        let message = frame.as_ref().and_then(|frame| self.notice(Notice::disconnect(frame), None));
        Goodbye { message, frame }
    }
}

fn message(text: String) -> Message {
    Message::Text(text.into())
}
