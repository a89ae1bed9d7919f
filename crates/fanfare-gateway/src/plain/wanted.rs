//! The channels that a request names, and the place in them where it goes on.
//!
//! | parameter | means |
//! |---|---|
//! | `channel` | a channel; once for each |
//! | `cursor`, `last_event_id` | the last cursor that the client has |
//! | `last` | without a cursor: the newest messages, at most this number |

use axum::extract::Request;
use fanfare_core::{Channel, Cursor, CursorError, Limits};
use serde::Deserialize;

use crate::{
    http::{query::parameters, refusal::Refusal, stream_error::StreamError},
    path::PathError,
    websocket::past::{Past, number},
};

/// The header by which an `EventSource` goes on.
const LAST_EVENT_ID: &str = "last-event-id";

/// See the head of this file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Each once.
    pub(super) channels: Vec<Channel>,
    /// The cursor; `None` where the request has none.
    pub(super) cursor: Option<Result<Cursor, CursorError>>,
    /// The number of the newest messages, where they are asked for.
    pub(super) last: Option<usize>,
}

/// The body of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    channels: Vec<String>,
    cursor: Option<String>,
    last: Option<usize>,
}

impl Wanted {
    /// The parameters of a request.
    pub(super) fn of_query(query: Option<&str>) -> Result<Self, Refusal> {
        let mut wanted = Self::default();
        for (name, value) in parameters(query) {
            match &*name {
                "channel" => wanted.add(&value)?,
                "cursor" | "last_event_id" => wanted.go_on_from(&value),
                "last" => wanted.last = Some(number(&value)?),
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// The parameters of a request, and the header of an `EventSource` that comes back. The header counts: the address
    /// stays the same.
    pub(super) fn of_event_source(request: &Request) -> Result<Self, Refusal> {
        let mut wanted = Self::of_query(request.uri().query())?;
        if let Some(id) = request.headers().get(LAST_EVENT_ID) {
            // A browser sends UTF-8. No cursor has other bytes.
            wanted.go_on_from(id.to_str().unwrap_or("\u{fffd}"));
        }
        Ok(wanted)
    }

    /// The body of a request.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, Refusal> {
        let Body { channels, cursor, last } =
            serde_json::from_slice(body).map_err(|_| StreamError::NotChannels)?;
        let mut wanted =
            Self { last: last.map(|last| number(&last.to_string())).transpose()?, ..Self::default() };
        channels.iter().try_for_each(|channel| wanted.add(channel))?;
        if let Some(cursor) = cursor {
            wanted.go_on_from(&cursor);
        }
        Ok(wanted)
    }

    fn add(&mut self, name: &str) -> Result<(), Refusal> {
        let channel = Channel::new(name).map_err(PathError::from)?;
        if !self.channels.contains(&channel) {
            self.channels.push(channel);
        }
        Ok(())
    }

    /// An empty cursor counts as missing, as for an `EventSource`.
    fn go_on_from(&mut self, cursor: &str) {
        self.cursor = (!cursor.is_empty()).then(|| cursor.parse());
    }

    /// Checks the number of channels, and their names.
    pub(super) fn judge(&self, limits: &Limits) -> Result<(), StreamError> {
        let most = limits.channels_per_connection;
        match self.channels.len() {
            0 => Err(StreamError::NoChannel),
            count if count > most => Err(StreamError::TooManyChannels(most)),
            _ if Cursor::confuses(&self.channels) => Err(StreamError::Alike),
            _ => Ok(()),
        }
    }

    /// Refuses a cursor that is not good: a client that can read the answer begins anew.
    pub(super) fn with_good_cursor(self) -> Result<Self, Refusal> {
        match self.cursor {
            Some(Err(error)) => Err(StreamError::from(error).into()),
            _ => Ok(self),
        }
    }

    /// Where the stream goes on in a channel.
    pub(super) fn past_of(&self, channel: &Channel) -> Option<Past> {
        match &self.cursor {
            None => self.last.map(Past::Last),
            Some(cursor) => cursor.as_ref().ok()?.get(channel).map(Past::Since),
        }
    }

    /// Whether the cursor is another stream's, or damaged: then nobody knows what its client has.
    pub(super) fn is_lost(&self) -> bool {
        let names = |cursor: &Cursor| self.channels.iter().any(|channel| cursor.get(channel).is_some());
        self.cursor.as_ref().is_some_and(|cursor| !cursor.as_ref().is_ok_and(names))
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::{Epoch, Position};
    use http::HeaderValue;

    use super::*;

    fn channel(name: &str) -> Channel {
        Channel::new(name).unwrap()
    }

    fn position() -> Position {
        Position { epoch: Epoch(1), offset: 7 }
    }

    fn said(wanted: Result<Wanted, Refusal>) -> String {
        wanted.unwrap_err().to_string()
    }

    #[test]
    fn channels_and_cursor_are_in_the_query() {
        let cursor = Cursor::of(&channel("a:1"), position());
        let wanted =
            Wanted::of_query(Some(&format!("channel=a%3A1&token=x&channel=b&channel=b&cursor={cursor}")));
        let wanted = wanted.unwrap();
        assert_eq!(wanted.channels, ["a:1", "b"].map(channel));
        assert_eq!(wanted.past_of(&channel("a:1")), Some(Past::Since(position())));
        assert_eq!((wanted.past_of(&channel("b")), wanted.is_lost()), (None, false));
        let newest = Wanted::of_query(Some("channel=a&last=5&cursor=")).unwrap();
        assert_eq!((newest.past_of(&channel("a")), newest.is_lost()), (Some(Past::Last(5)), false));
        assert!(said(Wanted::of_query(Some("channel="))).contains("must not be empty"));
        assert!(said(Wanted::of_query(Some("last=0"))).contains("last must be"));
    }

    #[test]
    fn the_header_of_a_browser_counts() {
        let (old, new) = (Position { offset: 1, ..position() }, position());
        let a = channel("a");
        let address = format!("/sse?channel=a&last=5&last_event_id={}", Cursor::of(&a, old));
        let mut request = Request::builder().uri(address).body(axum::body::Body::empty()).unwrap();
        let past = |request: &Request| Wanted::of_event_source(request).unwrap().past_of(&a);
        assert_eq!(past(&request), Some(Past::Since(old)));
        let id = HeaderValue::from_str(&Cursor::of(&a, new).to_string()).unwrap();
        request.headers_mut().insert(LAST_EVENT_ID, id);
        assert_eq!(past(&request), Some(Past::Since(new)));
        for damaged in [&b"x"[..], b"\xff"] {
            let id = HeaderValue::from_bytes(damaged).unwrap();
            request.headers_mut().insert(LAST_EVENT_ID, id);
            let wanted = Wanted::of_event_source(&request).unwrap();
            assert_eq!((wanted.past_of(&a), wanted.is_lost()), (None, true));
            assert!(said(wanted.with_good_cursor()).contains("is not one that this server gave"));
        }
    }

    #[test]
    fn a_body_names_channels() {
        let wanted = Wanted::of_body(br#"{"channels":["a","b"],"last":3}"#).unwrap();
        assert_eq!((wanted.channels.len(), wanted.last, wanted.cursor), (2, Some(3), None));
        for wrong in ["", "{}", "[]", r#"{"channels":"a"}"#, r#"{"channels":["a"],"more":1}"#] {
            assert!(
                said(Wanted::of_body(wrong.as_bytes())).contains("is not what this path takes"),
                "{wrong}"
            );
        }
        assert!(said(Wanted::of_body(br#"{"channels":["a"],"last":0}"#)).contains("last must be"));
    }

    #[test]
    fn channels_are_bounded_and_different() {
        let judged = |names: &[&str]| {
            let channels = names.iter().map(|name| channel(name)).collect();
            let limits = Limits { channels_per_connection: 2, ..Limits::default() };
            Wanted { channels, ..Wanted::default() }.judge(&limits)
        };
        assert_eq!(judged(&["a", "b"]), Ok(()));
        assert_eq!(judged(&[]), Err(StreamError::NoChannel));
        assert_eq!(judged(&["a", "b", "c"]), Err(StreamError::TooManyChannels(2)));
        assert_eq!(judged(&["costarring", "liquid"]), Err(StreamError::Alike));
    }

    #[test]
    fn a_cursor_of_another_stream_is_lost() {
        let cursor = Some(Ok(Cursor::of(&channel("other"), position())));
        let wanted = Wanted { channels: vec![channel("a")], cursor, last: None };
        assert!(wanted.is_lost() && wanted.past_of(&channel("a")).is_none());
    }
}
