//! Which web pages may use this server.
//!
//! A browser says with `Origin` (RFC 6454 §7) which page opens a WebSocket or calls the API, and lets any
//! page open a WebSocket anywhere: the server must check (RFC 6455 §10.2). Without an `Origin` it is no
//! browser, and there is nothing to check.
//!
//! Invariant: what is refused here can be let in by configuration only, never by another header.

use std::{fmt, str::FromStr};

use http::{HeaderMap, HeaderName, header};

use crate::authority::{Authority, Host};

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

    /// For development on one machine: as [`OriginPolicy::new`], and pages opened from disk (`Origin: null`)
    /// and from any port of `localhost`, `127.0.0.1` and `[::1]` pass too. `Host` must be one of these names,
    /// also without an `Origin`: else a page whose name was made to resolve to this machine (DNS rebinding)
    /// would be of the same origin.
    #[must_use]
    pub fn dev(allow: Vec<AllowedOrigin>) -> Self {
        Self { allow, dev: true }
    }

    /// Judges a request by its `Origin` and `Host`.
    ///
    /// # Errors
    /// A refusal whose text names the origin found and what to configure.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), OriginRefusal> {
        self.judge(headers, self.dev)
    }

    /// As [`OriginPolicy::check`], for what acts by itself and under `--dev` asks for no key: there a page without an
    /// origin of its own may be anybody's, in a sandboxed frame, so it does not pass.
    ///
    /// # Errors
    /// The same.
    pub fn check_call(&self, headers: &HeaderMap) -> Result<(), OriginRefusal> {
        self.judge(headers, false)
    }

    fn judge(&self, headers: &HeaderMap, lets_null_in: bool) -> Result<(), OriginRefusal> {
        if self.dev {
            let host = host(headers)?;
            if !host.host.is_loopback() {
                return Err(OriginRefusal::HostNotLoopback { host: host.host.to_string() });
            }
        }
        let Some(text) = single(headers, &header::ORIGIN)? else { return Ok(()) };
        if self.allow.iter().any(|allowed| matches!(allowed, AllowedOrigin::Any)) {
            return Ok(());
        }
        if text == "null" {
            return if lets_null_in { Ok(()) } else { Err(OriginRefusal::Null) };
        }
        let origin = WebOrigin::parse(text).ok_or_else(|| malformed(&header::ORIGIN, text))?;
        if self.dev && origin.is_web() && origin.authority.host.is_loopback()
            || self.allow.iter().any(|allowed| allowed.matches(&origin))
        {
            return Ok(());
        }
        let host = host(headers)?;
        if origin.is_at(&host) {
            return Ok(());
        }
        Err(OriginRefusal::NotAllowed { origin: origin.to_string(), host: written(&host) })
    }
}

/// Why a request was refused. The texts are for whoever sees the answer: they name no other origin that is
/// allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginRefusal {
    /// A page of another origin.
    #[error(
        "origin {origin} may not use this server ({host}); to let it in, add \"{origin}\" to `allow` under \
         [origins] in the configuration"
    )]
    NotAllowed {
        /// The origin, normalised.
        origin: String,
        /// This server's name in the request.
        host: String,
    },
    /// A page opened from disk, or sandboxed.
    #[error(
        "a page without an origin of its own (Origin: null: opened from disk, or sandboxed) may not use this \
         server; serve the page from a web server (under `--dev` it may open a WebSocket, and call nothing)"
    )]
    Null,
    /// `dev`, and a `Host` that is not this machine.
    #[error(
        "under --dev the host must be localhost, 127.0.0.1 or [::1], not {host}; run without --dev to serve \
         other names"
    )]
    HostNotLoopback {
        /// The host of the request.
        host: String,
    },
    /// No `Host` to compare with.
    #[error("the Host header is missing, so the origin cannot be checked")]
    HostMissing,
    /// More than one header of a kind that comes once.
    #[error("the {name} header was sent more than once")]
    Several {
        /// Its name.
        name: &'static str,
    },
    /// A header that is not of its form.
    #[error("the {name} header {found:?} is malformed")]
    Malformed {
        /// Its name.
        name: &'static str,
        /// What it says, cut to a length that fits a log line.
        found: String,
    },
}

/// An origin that is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`: every page of the world, also those without an origin.
    Any,
    /// `https://app.example`: this one.
    Exactly(WebOrigin),
    /// `https://*.example.com`: every name below, at any depth, not `example.com` itself.
    Below(WebOrigin),
}

impl AllowedOrigin {
    fn matches(&self, origin: &WebOrigin) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(allowed) => allowed.same_as(origin, |wanted, found| wanted == found),
            Self::Below(parent) => parent.same_as(origin, |parent, found| match (parent, found) {
                (Host::Name(parent), Host::Name(name)) => name
                    .strip_suffix(parent.as_str())
                    .and_then(|below| below.strip_suffix('.'))
                    .is_some_and(|below| !below.is_empty()),
                _ => false,
            }),
        }
    }
}

impl FromStr for AllowedOrigin {
    type Err = AllowedOriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Err(AllowedOriginError::NoScheme) };
        if !is_scheme(scheme) {
            return Err(AllowedOriginError::NoScheme);
        }
        if let Some(end) = rest.find(['/', '?', '#']) {
            let origin = rest.get(..end).unwrap_or_default();
            return Err(AllowedOriginError::Path { origin: format!("{scheme}://{origin}") });
        }
        if !rest.is_ascii() {
            return Err(AllowedOriginError::NotAscii);
        }
        let (rest, below) = rest.strip_prefix("*.").map_or((rest, false), |parent| (parent, true));
        if rest.contains('*') {
            return Err(AllowedOriginError::Wildcard);
        }
        let origin = WebOrigin::parse(&format!("{scheme}://{rest}")).ok_or(AllowedOriginError::Host)?;
        match (below, &origin.authority.host) {
            (false, _) => Ok(Self::Exactly(origin)),
            (true, Host::Name(_)) => Ok(Self::Below(origin)),
            (true, Host::V6(_)) => Err(AllowedOriginError::Wildcard),
        }
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exactly(origin) => origin.fmt(f),
            Self::Below(parent) => parent.write(f, "*."),
        }
    }
}

/// Why a configured origin is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowedOriginError {
    /// `app.example`.
    #[error("an origin begins with its scheme, as in \"https://app.example\"")]
    NoScheme,
    /// `https://app.example/`.
    #[error("an origin ends after its host and port: \"{origin}\"")]
    Path {
        /// The part that is an origin.
        origin: String,
    },
    /// `https://räume.example`.
    #[error("browsers send international names in their ASCII form (\"xn--…\"): write that")]
    NotAscii,
    /// `https://app.*.example`.
    #[error("a wildcard stands for whole names below a host, as in \"https://*.example.com\"")]
    Wildcard,
    /// `https://:8080`.
    #[error("no host, or no port, after the scheme: write for example \"https://app.example:8443\"")]
    Host,
}

/// Scheme, host and port of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: String,
    authority: Authority,
}

impl WebOrigin {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let authority = Authority::parse(authority)?;
        is_scheme(scheme).then(|| Self { scheme: scheme.to_ascii_lowercase(), authority })
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

    fn same_as(&self, other: &Self, hosts: impl FnOnce(&Host, &Host) -> bool) -> bool {
        self.scheme == other.scheme
            && self.port() == other.port()
            && hosts(&self.authority.host, &other.authority.host)
    }

    /// Whether the page came from `host`: a port that `Host` leaves out is the default one.
    fn is_at(&self, host: &Authority) -> bool {
        self.is_web() && self.authority.host == host.host && self.port() == host.port.or(self.default_port())
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, prefix: &str) -> fmt::Result {
        write!(f, "{}://{prefix}{}", self.scheme, written(&self.authority))
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "")
    }
}

fn written(authority: &Authority) -> String {
    match authority.port {
        Some(port) => format!("{}:{port}", authority.host),
        None => authority.host.to_string(),
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn host(headers: &HeaderMap) -> Result<Authority, OriginRefusal> {
    let text = single(headers, &header::HOST)?.ok_or(OriginRefusal::HostMissing)?;
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
