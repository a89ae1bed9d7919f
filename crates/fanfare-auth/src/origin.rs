//! The web pages that may use this server.
//!
//! A browser names in `Origin` (RFC 6454 §7) the page that opens a WebSocket or calls the API. It lets any page open a
//! WebSocket anywhere, so the server must check (RFC 6455 §10.2). A request without an `Origin` is not a browser's, and
//! there is nothing to check.
//!
//! Invariant: only the configuration can allow an origin that is refused here, never another header.

mod allowed;
mod page;

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, header};

use self::page::Page;
pub use self::{
    allowed::{AllowedOrigin, AllowedOriginError},
    page::WebOrigin,
};
use crate::authority::Authority;

/// The origins that are allowed.
///
/// The same origin always is: the host and port of `Origin` are those of the `Host` header, with the default port of
/// the origin's scheme where a port is not written. The schemes are not compared, since TLS may end before this server.
#[derive(Debug, Clone, Default)]
pub struct OriginPolicy {
    allow: Vec<AllowedOrigin>,
    dev: bool,
}

impl OriginPolicy {
    /// Allows the same origin, and these origins.
    #[must_use]
    pub fn new(allow: Vec<AllowedOrigin>) -> Self {
        Self { allow, dev: false }
    }

    /// For development on one machine: as [`OriginPolicy::new`], and allows pages from disk (`Origin: null` or
    /// `file://`) and from any port of `localhost`, `127.0.0.1` and `[::1]`. `Host` must be one of these names, also
    /// without an `Origin`: else a page whose name was made to resolve to this machine (DNS rebinding) would be of the
    /// same origin.
    #[must_use]
    pub fn dev(allow: Vec<AllowedOrigin>) -> Self {
        Self { allow, dev: true }
    }

    /// Checks the host that a request is for, under `--dev` only. `target` is the authority in the request's first
    /// line, if any. A request without a host passes, since it is not a browser's.
    ///
    /// # Errors
    /// The host is foreign: DNS rebinding, or a request for a proxy.
    pub fn check_host(&self, headers: &HeaderMap, target: Option<&str>) -> Result<(), OriginRefusal> {
        if !self.dev {
            return Ok(());
        }
        let named = single(headers, &header::HOST)?;
        named.into_iter().chain(target).try_for_each(|text| is_local(&authority(text)?))
    }

    /// Checks the `Origin` and `Host` of a request.
    ///
    /// # Errors
    /// The origin is not allowed. The text names the origin, and the remedy in the configuration.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), OriginRefusal> {
        self.judge(headers, self.dev)
    }

    /// As [`OriginPolicy::check`], for calls of the API, which under `--dev` need no key. A page without an origin of
    /// its own may be a sandboxed frame of any site, so it passes only where `origins.allow` names it.
    ///
    /// # Errors
    /// As [`OriginPolicy::check`].
    pub fn check_call(&self, headers: &HeaderMap) -> Result<(), OriginRefusal> {
        self.judge(headers, false)
    }

    fn judge(&self, headers: &HeaderMap, lets_disk_in: bool) -> Result<(), OriginRefusal> {
        if self.dev {
            is_local(&host(headers)?)?;
        }
        let Some(text) = single(headers, &header::ORIGIN)? else { return Ok(()) };
        if self.allow.contains(&AllowedOrigin::Any) {
            return Ok(());
        }
        let page = Page::parse(text).ok_or_else(|| malformed(&header::ORIGIN, text))?;
        if self.allow.iter().any(|allowed| allowed.matches(&page)) {
            return Ok(());
        }
        match &page {
            Page::Null | Page::File if lets_disk_in => Ok(()),
            Page::Null => Err(OriginRefusal::OfNoServer { origin: "null" }),
            Page::File => Err(OriginRefusal::OfNoServer { origin: "file://" }),
            Page::Web(origin) if self.dev && origin.is_local() => Ok(()),
            Page::Web(origin) => {
                let host = host(headers)?;
                if origin.is_at(&host) {
                    return Ok(());
                }
                Err(OriginRefusal::NotAllowed { origin: origin.to_string(), host: host.to_string() })
            }
        }
    }
}

/// Why a request was refused. The text goes to the client, and names no other allowed origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginRefusal {
    /// The page has another origin.
    #[error(
        "origin {origin} may not use this server ({host}); to let it in, add it to the configuration: \
         origins.allow = [\"{origin}\"]"
    )]
    NotAllowed {
        /// The origin, normalised.
        origin: String,
        /// This server's name in the request.
        host: String,
    },
    /// The page was opened from disk, or is sandboxed.
    #[error(
        "a page that no web server sent (Origin: {origin}: opened from disk, or sandboxed) may not use this server; \
         serve the page from a web server, or allow every such page in the configuration: \
         origins.allow = [\"{origin}\"] (under --dev it may open a WebSocket without that, and call nothing)"
    )]
    OfNoServer {
        /// Its origin: `null` or `file://`.
        origin: &'static str,
    },
    /// Under `--dev`, the `Host` is not this machine.
    #[error(
        "under --dev the host must be localhost, 127.0.0.1 or [::1], not {host}: use one of these names, or run \
         without --dev to serve other names"
    )]
    HostNotLoopback {
        /// The host of the request.
        host: String,
    },
    /// The `Host` is missing.
    #[error(
        "the Host header is missing, so the origin cannot be checked: send the name of this server in it"
    )]
    HostMissing,
    /// A header that comes once was sent more than once.
    #[error("the {name} header was sent more than once: send it once")]
    Several {
        /// Its name.
        name: &'static str,
    },
    /// A header is malformed.
    #[error("the {name} header {found:?} is malformed: send it as {}", form(.name))]
    Malformed {
        /// Its name.
        name: &'static str,
        /// Its value, cut to a length that fits a log line.
        found: String,
    },
}

impl OriginRefusal {
    /// A shorter text, for a close frame: the remedy comes first.
    #[must_use]
    pub fn in_short(&self) -> Cow<'static, str> {
        let allow = |origin| format!("origin not allowed; this lets it in: origins.allow = [\"{origin}\"]");
        match self {
            Self::NotAllowed { origin, .. } => allow(origin.as_str()).into(),
            Self::OfNoServer { origin } => allow(*origin).into(),
            Self::HostNotLoopback { .. } => {
                "under --dev the host must be localhost, 127.0.0.1 or [::1]".into()
            }
            Self::HostMissing | Self::Several { .. } => self.to_string().into(),
            Self::Malformed { name, .. } => format!("the {name} header is malformed").into(),
        }
    }
}

fn form(name: &str) -> &'static str {
    if name == title(&header::HOST) { "HOST[:PORT]" } else { "SCHEME://HOST[:PORT]" }
}

fn is_local(host: &Authority) -> Result<(), OriginRefusal> {
    if host.host.is_loopback() {
        return Ok(());
    }
    Err(OriginRefusal::HostNotLoopback { host: host.host.to_string() })
}

fn host(headers: &HeaderMap) -> Result<Authority, OriginRefusal> {
    let text = single(headers, &header::HOST)?.ok_or(OriginRefusal::HostMissing)?;
    authority(text)
}

fn authority(text: &str) -> Result<Authority, OriginRefusal> {
    Authority::parse(text).ok_or_else(|| malformed(&header::HOST, text))
}

/// The value of a header that comes once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, OriginRefusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(OriginRefusal::Several { name: title(name) });
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(malformed(name, &String::from_utf8_lossy(value.as_bytes()))),
    }
}

fn malformed(name: &HeaderName, found: &str) -> OriginRefusal {
    const SHOWN: usize = 120;
    OriginRefusal::Malformed { name: title(name), found: found.chars().take(SHOWN).collect() }
}

fn title(name: &HeaderName) -> &'static str {
    if *name == header::HOST { "Host" } else { "Origin" }
}

#[cfg(test)]
mod tests;
