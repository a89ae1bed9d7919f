//! A `ws://` or `wss://` URL whose host was looked up once, so that a thousand connections do not ask a resolver.

use std::{
    borrow::Cow,
    net::{SocketAddr, ToSocketAddrs as _},
};

use anyhow::{Context as _, bail};
use http::Uri;
use serde::{Deserialize, Serialize};

use super::{centrifugo, tls::Tls};
use crate::position::Position;

/// Plain HTTP in the place of a WebSocket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Plain {
    /// Server-Sent Events.
    Events,
    /// A poll behind this cursor, which waits for the first messages.
    Poll(String),
}

impl Plain {
    /// The path for a channel.
    pub(super) fn path(&self, channel: &str) -> String {
        match self {
            Self::Events => format!("/sse/{channel}"),
            Self::Poll(cursor) => format!("/poll?channel={channel}&cursor={cursor}&timeout=55"),
        }
    }
}

/// The manner in which clients connect.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Manner {
    /// Ask for permessage-deflate without context takeover, and fail if the server refuses.
    pub deflate: bool,
    /// The trusted certificates, which `wss://` needs.
    pub tls: Option<Tls>,
    /// Speak Centrifugo's protocol, and subscribe with these further members of the command, in JSON without braces.
    pub centrifugo: Option<String>,
    /// Read by plain HTTP.
    pub plain: Option<Plain>,
}

impl Manner {
    /// Clients that speak Centrifugo's protocol, with these further members in the subscribe command.
    #[must_use]
    pub fn centrifugo(members: &str) -> Self {
        Self { centrifugo: Some(members.to_owned()), ..Self::default() }
    }

    /// Clients that read by plain HTTP.
    #[must_use]
    pub fn plain(plain: Plain) -> Self {
        Self { plain: Some(plain), ..Self::default() }
    }
}

/// A relay channel on one node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    address: SocketAddr,
    host: String,
    name: String,
    path: String,
    manner: Manner,
    cookie: Option<String>,
}

impl Target {
    /// Parses a URL and looks up its host. A URL without a path gets `own_path`, a channel of the caller's own.
    ///
    /// # Errors
    /// The URL is not a `ws://` URL, or its host has no address.
    pub fn parse(url: &str, own_path: &str) -> anyhow::Result<Self> {
        Self::in_manner(url, own_path, Manner::default())
    }

    /// As [`parse`](Self::parse), for clients that connect in this manner.
    ///
    /// # Errors
    /// As for [`Target::parse`], or a `wss://` URL without trusted certificates.
    pub fn in_manner(url: &str, own_path: &str, manner: Manner) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url} is not a URL"))?;
        let (tls, port) = match (uri.scheme_str(), manner.tls) {
            (Some("ws"), _) => (None, 80),
            (Some("wss"), Some(tls)) => (Some(tls), 443),
            (Some("wss"), None) => bail!("{url}: wss:// needs trusted certificates: add --ca FILE"),
            _ => bail!("{url} does not begin with ws:// or wss://"),
        };
        let authority = uri.authority().with_context(|| format!("{url} names no host"))?;
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let address = (name, authority.port_u16().unwrap_or(port))
            .to_socket_addrs()
            .with_context(|| format!("{url}: its host was not found"))?
            .next()
            .with_context(|| format!("{url}: its host has no address"))?;
        let path = match uri.path_and_query().map(http::uri::PathAndQuery::as_str) {
            None | Some("" | "/") => own_path,
            Some(path) => path,
        };
        let (host, name, path) = (authority.as_str().to_owned(), name.to_owned(), path.to_owned());
        Ok(Self { address, host, name, path, manner: Manner { tls, ..manner }, cookie: None })
    }

    /// The target with `-NUMBER` at the end of its path, before a query.
    #[must_use]
    pub fn numbered(&self, number: usize) -> Self {
        let (path, query) = self.path.find('?').map_or((self.path.as_str(), ""), |at| self.path.split_at(at));
        Self { path: format!("{path}-{number}{query}"), ..self.clone() }
    }

    /// The target with a cookie, `NAME=VALUE`.
    #[must_use]
    pub fn with_cookie(&self, cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..self.clone() }
    }

    /// The target with `?since=POSITION`: all of the channel behind this position.
    #[must_use]
    pub fn since(&self, position: &Position) -> Self {
        let joint = if self.path.contains('?') { '&' } else { '?' };
        Self { path: format!("{}{joint}since={position}", self.path), ..self.clone() }
    }

    /// The value of `Cookie`.
    #[must_use]
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    /// The address of the node.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value of `Host`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The host without its port, which the certificate must name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn tls(&self) -> Option<&Tls> {
        self.manner.tls.as_ref()
    }

    pub(super) const fn deflate(&self) -> bool {
        self.manner.deflate
    }

    /// The path of the request.
    pub(super) fn entrance(&self) -> Cow<'_, str> {
        match (&self.manner.plain, &self.manner.centrifugo) {
            (Some(plain), _) => plain.path(self.channel().unwrap_or_default()).into(),
            (None, Some(_)) => centrifugo::PATH.into(),
            (None, None) => self.path.as_str().into(),
        }
    }

    pub(super) const fn is_plain(&self) -> bool {
        self.manner.plain.is_some()
    }

    /// The first frame of a client of Centrifugo's protocol.
    pub(super) fn greeting(&self) -> Option<String> {
        Some(centrifugo::greeting(self.channel()?, self.manner.centrifugo.as_deref()?))
    }

    /// The same channel for a relay client.
    #[must_use]
    pub fn for_relay(&self) -> Self {
        Self { manner: Manner { centrifugo: None, plain: None, ..self.manner.clone() }, ..self.clone() }
    }

    /// The path and the query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The channel's name in the HTTP API, for a path `/ws/CHANNEL`.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        let path = self.path.split_once('?').map_or(self.path.as_str(), |(path, _)| path);
        path.strip_prefix("/ws/").filter(|channel| !channel.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_path_gets_the_default() {
        for url in ["ws://127.0.0.1:8080", "ws://127.0.0.1:8080/"] {
            assert_eq!(Target::parse(url, "/mine").unwrap().path(), "/mine");
        }
        let target = Target::parse("ws://[::1]:8080/ws/chat?token=x", "/mine").unwrap();
        assert_eq!((target.path(), target.host()), ("/ws/chat?token=x", "[::1]:8080"));
        assert_eq!(target.address(), "[::1]:8080".parse().unwrap());
        assert_eq!(target.numbered(7).path(), "/ws/chat-7?token=x");
        let position = Position { epoch: "00c0ffee00c0ffee".into(), offset: 7 };
        assert_eq!(target.since(&position).path(), "/ws/chat?token=x&since=00c0ffee00c0ffee:7");
        assert_eq!(target.channel(), Some("chat"));
    }

    #[test]
    fn other_urls_are_refused_with_a_sentence() {
        for (url, sentence) in [
            ("wss://127.0.0.1/chat", "wss:// needs trusted certificates"),
            ("http://127.0.0.1/chat", "does not begin with ws://"),
            ("127.0.0.1:8080", "does not begin with ws://"),
            ("ws://", "is not a URL"),
        ] {
            let error = Target::parse(url, "/").unwrap_err().to_string();
            assert!(error.contains(sentence), "{url}: {error}");
        }
    }
}
