//! Where to connect: a `ws://` URL whose host was looked up once, so that a thousand connections ask no resolver.

use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, bail};
use http::Uri;
use serde::{Deserialize, Serialize};

/// A relay channel on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    address: SocketAddr,
    host: String,
    path: String,
    cookie: Option<String>,
}

impl Target {
    /// Parses a URL and looks up its host. A URL without a path gets `own_path`, a channel of the caller's own.
    ///
    /// # Errors
    /// It is no `ws://` URL, or its host has no address.
    pub fn parse(url: &str, own_path: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
        if uri.scheme_str() != Some("ws") {
            bail!("{url} does not begin with ws://, the only scheme that swarm speaks");
        }
        let authority = uri.authority().with_context(|| format!("{url} names no host"))?;
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let address = (name, authority.port_u16().unwrap_or(80))
            .to_socket_addrs()
            .with_context(|| format!("{url}: its host was not found"))?
            .next()
            .with_context(|| format!("{url}: its host has no address"))?;
        let path = match uri.path_and_query().map(http::uri::PathAndQuery::as_str) {
            None | Some("" | "/") => own_path,
            Some(path) => path,
        };
        Ok(Self { address, host: authority.as_str().to_owned(), path: path.to_owned(), cookie: None })
    }

    /// The channel of this number beside it: its path with `-NUMBER`, in front of a query.
    #[must_use]
    pub fn numbered(&self, number: usize) -> Self {
        let (path, query) = self.path.find('?').map_or((self.path.as_str(), ""), |at| self.path.split_at(at));
        Self { path: format!("{path}-{number}{query}"), ..self.clone() }
    }

    /// The same with a cookie, `NAME=VALUE`.
    #[must_use]
    pub fn with_cookie(&self, cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..self.clone() }
    }

    /// What goes into `Cookie`.
    #[must_use]
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    /// The address of the node.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What goes into `Host`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Path and query: the channel.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the HTTP API calls the channel of a path `/ws/CHANNEL`.
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
    fn a_url_without_a_path_gets_a_channel_of_its_own() {
        for url in ["ws://127.0.0.1:8080", "ws://127.0.0.1:8080/"] {
            assert_eq!(Target::parse(url, "/mine").unwrap().path(), "/mine");
        }
        let target = Target::parse("ws://[::1]:8080/ws/chat?token=x", "/mine").unwrap();
        assert_eq!((target.path(), target.host()), ("/ws/chat?token=x", "[::1]:8080"));
        assert_eq!(target.address(), "[::1]:8080".parse().unwrap());
        assert_eq!(target.numbered(7).path(), "/ws/chat-7?token=x");
        assert_eq!(target.channel(), Some("chat"));
    }

    #[test]
    fn what_is_no_ws_url_is_refused_with_a_sentence() {
        for (url, sentence) in [
            ("http://127.0.0.1/chat", "does not begin with ws://"),
            ("127.0.0.1:8080", "does not begin with ws://"),
            ("ws://", "is no URL"),
        ] {
            let error = Target::parse(url, "/").unwrap_err().to_string();
            assert!(error.contains(sentence), "{url}: {error}");
        }
    }
}
