//! The page of a request, by its `Origin`.

use std::fmt;

use crate::authority::{Authority, Host};

/// The source of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// `null`: a page from disk in most browsers, or a sandboxed frame of any site.
    Null,
    /// `file://`: a page from disk in Electron, Cordova and WebViews.
    File,
    /// A page of a web server, an extension or an app.
    Web(WebOrigin),
}

impl Page {
    /// The page that an `Origin` names; `None` if the header is malformed. One `/` at the end is ignored: some clients
    /// send the origin as a URL.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "null" => Some(Self::Null),
            "file://" | "file:///" => Some(Self::File),
            _ => WebOrigin::parse(text.strip_suffix('/').unwrap_or(text)).map(Self::Web),
        }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::File => f.write_str("file://"),
            Self::Web(origin) => origin.fmt(f),
        }
    }
}

/// Scheme, host and port of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: String,
    pub(super) authority: Authority,
}

impl WebOrigin {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let authority = Authority::parse(authority)?;
        is_scheme(scheme).then(|| Self { scheme: scheme.to_ascii_lowercase(), authority })
    }

    /// Whether a web server on this machine sent the page.
    pub(super) fn is_local(&self) -> bool {
        self.is_web() && self.authority.host.is_loopback()
    }

    /// Whether a web server sent the page, not an extension or an app.
    fn is_web(&self) -> bool {
        matches!(self.scheme.as_str(), "http" | "https")
    }

    fn default_port(&self) -> Option<u16> {
        match self.scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        }
    }

    fn port(&self) -> Option<u16> {
        self.authority.port.or(self.default_port())
    }

    pub(super) fn same_as(&self, other: &Self, hosts: impl FnOnce(&Host, &Host) -> bool) -> bool {
        self.scheme == other.scheme
            && self.port() == other.port()
            && hosts(&self.authority.host, &other.authority.host)
    }

    /// Whether the page came from `host`. A port that `Host` leaves out is the default port.
    pub(super) fn is_at(&self, host: &Authority) -> bool {
        self.is_web() && self.authority.host == host.host && self.port() == host.port.or(self.default_port())
    }

    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, prefix: &str) -> fmt::Result {
        write!(f, "{}://{prefix}{}", self.scheme, self.authority)
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "")
    }
}

/// RFC 3986 §3.1.
pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}
