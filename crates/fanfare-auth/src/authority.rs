//! Hosts and ports in `Origin` and `Host` (RFC 3986 §3.2).
//!
//! Invariant: two authorities with the same host and port are equal, however they are written: names are in lower case,
//! IPv6 literals are addresses.

use std::{fmt, net::Ipv6Addr};

/// The host of an [`Authority`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name or an IPv4 address, in lower case.
    Name(String),
    /// An IPv6 literal.
    V6(Ipv6Addr),
}

impl Host {
    /// Whether it is one of the three names by which a browser reaches its own machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => matches!(name.as_str(), "localhost" | "127.0.0.1"),
            Self::V6(address) => address.is_loopback(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// `host` or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    /// The host.
    pub(crate) host: Host,
    /// The port, if there is one.
    pub(crate) port: Option<u16>,
}

impl Authority {
    /// Parses an authority; `None` if the text is malformed. Neither header may have a user name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(literal) => {
                let (address, rest) = literal.split_once(']')?;
                (Host::V6(address.parse().ok()?), rest)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (name, rest) = text.split_at_checked(end)?;
                (Host::Name(host_name(name)?), rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            Some(digits) => Some(port(digits)?),
            None if rest.is_empty() => None,
            None => return None,
        };
        Some(Self { host, port })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

/// A name in lower case; `None` if it has characters that a host name in a header cannot have.
fn host_name(name: &str) -> Option<String> {
    let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    valid.then(|| name.to_ascii_lowercase())
}

/// Digits only: `str::parse` would take `+80` too.
fn port(digits: &str) -> Option<u16> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_authorities_are_equal_however_written() {
        assert_eq!(Authority::parse("App.Example:80"), Authority::parse("app.example:080"));
        assert_eq!(Authority::parse("[0:0:0:0:0:0:0:1]:80"), Authority::parse("[::1]:80"));
        assert_ne!(Authority::parse("app.example"), Authority::parse("app.example:80"));
    }

    #[test]
    fn a_malformed_authority_is_refused() {
        for text in [
            "",
            ":80",
            "a b",
            "a@b",
            "a/b",
            "a:",
            "a:x",
            "a:+8",
            "a:65536",
            "::1",
            "[::1",
            "[::1]80",
            "[x]",
            "[]",
            "räume.example",
            "a:80:80",
            "a\0b",
            "*.example.com",
        ] {
            assert_eq!(Authority::parse(text), None, "{text:?}");
        }
    }
}
