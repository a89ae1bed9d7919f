//! Which web pages may use this server.
//!
//! A browser says with `Origin` (RFC 6454 §7) which page opens a WebSocket or calls the API, and lets any
//! page open a WebSocket anywhere: the server must check (RFC 6455 §10.2). Without an `Origin` it is no
//! browser, and there is nothing to check.
//!
//! Invariant: what is refused here can be let in by configuration only, never by another header.

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

/// Which origins may come in.
///
/// The same origin always may: host and port of `Origin` are those of the `Host` header, with the default
/// port of the origin's scheme where one is not written. The schemes are not compared, since TLS may end
/// before this server.
#[derive(Debug, Clone, Default)]
pub struct OriginPolicy {
    allow: Vec<AllowedOrigin>,
    dev: bool,
}

impl OriginPolicy {
    /// The same origin, and those listed.
    #[must_use]
    pub fn new(allow: Vec<AllowedOrigin>) -> Self {
        Self { allow, dev: false }
    }

    /// For development on one machine: as [`OriginPolicy::new`], and pages opened from disk (`Origin: null`
    /// or `file://`) and from any port of `localhost`, `127.0.0.1` and `[::1]` pass too. `Host` must be one of
    /// these names, also without an `Origin`: else a page whose name was made to resolve to this machine (DNS
    /// rebinding) would be of the same origin.
    #[must_use]
    pub fn dev(allow: Vec<AllowedOrigin>) -> Self {
        Self { allow, dev: true }
    }

    /// Judges by its name whether a request of any kind may be for this server, under `--dev` only; `target` is the
    /// authority in the request's first line, where it has one. A request without a name passes: a browser sends one.
    ///
    /// # Errors
    /// It is for a foreign name: DNS rebinding, or a request for a proxy.
    pub fn check_host(&self, headers: &HeaderMap, target: Option<&str>) -> Result<(), OriginRefusal> {
        if !self.dev {
            return Ok(());
        }
        let named = single(headers, &header::HOST)?;
        named.into_iter().chain(target).try_for_each(|text| is_local(&authority(text)?))
    }

    /// Judges a request by its `Origin` and `Host`.
    ///
    /// # Errors
    /// A refusal whose text names the origin found and what to configure.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), OriginRefusal> {
        self.judge(headers, self.dev)
    }

    /// As [`OriginPolicy::check`], for what acts by itself and under `--dev` asks for no key: there a page without an
    /// origin of its own may be anybody's, in a sandboxed frame, so it passes only where `origins.allow` names it.
    ///
    /// # Errors
    /// The same.
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
            Page::Of(origin) if self.dev && origin.is_local() => Ok(()),
            Page::Of(origin) => {
                let host = host(headers)?;
                if origin.is_at(&host) {
                    return Ok(());
                }
                Err(OriginRefusal::NotAllowed { origin: origin.to_string(), host: host.to_string() })
            }
        }
    }
}

/// Why a request was refused. The texts are for whoever sees the answer: they name no other origin that is
/// allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginRefusal {
    /// A page of another origin.
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
    /// A page opened from disk, or sandboxed.
    #[error(
        "a page that no web server sent (Origin: {origin}: opened from disk, or sandboxed) may not use this server; \
         serve the page from a web server, or let every such page in by the configuration: \
         origins.allow = [\"{origin}\"] (under --dev it may open a WebSocket without that, and call nothing)"
    )]
    OfNoServer {
        /// What it says: `null` or `file://`.
        origin: &'static str,
    },
    /// `dev`, and a `Host` that is not this machine.
    #[error(
        "under --dev the host must be localhost, 127.0.0.1 or [::1], not {host}: use one of these names, or run \
         without --dev to serve other names"
    )]
    HostNotLoopback {
        /// The host of the request.
        host: String,
    },
    /// No `Host` to compare with.
    #[error(
        "the Host header is missing, so the origin cannot be checked: send the name of this server in it"
    )]
    HostMissing,
    /// More than one header of a kind that comes once.
    #[error("the {name} header was sent more than once: send it once")]
    Several {
        /// Its name.
        name: &'static str,
    },
    /// A header that is not of its form.
    #[error("the {name} header {found:?} is malformed: send it as {}", form(.name))]
    Malformed {
        /// Its name.
        name: &'static str,
        /// What it says, cut to a length that fits a log line.
        found: String,
    },
}

impl OriginRefusal {
    /// The same in fewer words, for a close frame: the remedy comes first.
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

/// The value of a header that may come once.
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
