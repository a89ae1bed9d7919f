//! The origins that the configuration allows.

use std::{fmt, str::FromStr};

use super::page::{Page, WebOrigin, is_scheme};
use crate::authority::Host;

/// An allowed origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`: every page, also pages without an origin.
    Any,
    /// `null`: pages from disk, and sandboxed frames of every site.
    Null,
    /// `file://`: pages from disk in Electron, Cordova and WebViews.
    File,
    /// `https://app.example`: this origin.
    Exactly(WebOrigin),
    /// `https://*.example.com`: every name below `example.com`, at any depth, and not `example.com` itself.
    Below(WebOrigin),
}

impl AllowedOrigin {
    pub(super) fn matches(&self, page: &Page) -> bool {
        match (self, page) {
            (Self::Any, _) | (Self::Null, Page::Null) | (Self::File, Page::File) => true,
            (Self::Exactly(allowed), Page::Web(origin)) => {
                allowed.same_as(origin, |wanted, found| wanted == found)
            }
            (Self::Below(parent), Page::Web(origin)) => parent.same_as(origin, is_below),
            _ => false,
        }
    }
}

fn is_below(parent: &Host, found: &Host) -> bool {
    match (parent, found) {
        (Host::Name(parent), Host::Name(name)) => name
            .strip_suffix(parent.as_str())
            .and_then(|below| below.strip_suffix('.'))
            .is_some_and(|below| !below.is_empty()),
        _ => false,
    }
}

impl FromStr for AllowedOrigin {
    type Err = AllowedOriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "*" => return Ok(Self::Any),
            "null" => return Ok(Self::Null),
            "file://" | "file:///" => return Ok(Self::File),
            _ => {}
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Err(AllowedOriginError::NoScheme) };
        if !is_scheme(scheme) {
            return Err(AllowedOriginError::NoScheme);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
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
            Self::Null => Page::Null.fmt(f),
            Self::File => Page::File.fmt(f),
            Self::Exactly(origin) => origin.fmt(f),
            Self::Below(parent) => parent.write(f, "*."),
        }
    }
}

/// Why a text is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowedOriginError {
    /// `app.example`.
    #[error("an origin begins with its scheme, as in \"https://app.example\"")]
    NoScheme,
    /// `https://app.example/chat`.
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
