//! The claims of a token that connects its bearer.
//!
//! Invariant: a client of a dialect without subscriptions by the server does not pay for them. Only
//! [`Identity::subscriptions`] makes their list.

use std::{sync::OnceLock, time::SystemTime};

use bytes::Bytes;
use fanfare_core::{Channel, Identity, identity::SubscriptionTerms};

/// The claims of a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The bearer (`sub`): at most [`Claims::MAX_SUBJECT_BYTES`], empty where the token has no `sub`.
    pub subject: String,
    /// When the bearer's connection ends: the token's `expire_at`, else its `exp`, and the policy's leeway; `None`: never.
    pub expires_at: Option<SystemTime>,
    /// The channels of the bearer.
    pub channels: ChannelGrants,
    /// The channels in which the token puts the bearer by name (`subs`), and their terms. They are granted too.
    pub subscriptions: Vec<(Channel, SubscriptionTerms)>,
    /// Information about the bearer for other clients (`info` or `b64info`): JSON, at most [`Claims::MAX_INFO_BYTES`].
    pub info: Option<Bytes>,
    /// The id of the token (`jti`): at most [`Claims::MAX_SUBJECT_BYTES`].
    pub id: Option<String>,
    /// When the token was issued (`iat`).
    pub issued_at: Option<SystemTime>,
}

impl Claims {
    /// The longest info, in bytes.
    pub const MAX_INFO_BYTES: usize = 4 << 10;

    /// The longest subject, in bytes of UTF-8.
    pub const MAX_SUBJECT_BYTES: usize = 255;

    /// The terms of a channel that `subs` names.
    fn terms(&self, channel: &Channel) -> Option<&SubscriptionTerms> {
        self.subscriptions.iter().find(|(named, _)| named == channel).map(|(_, terms)| terms)
    }

    /// The channels of `subs`, and those that `channels` names without a pattern; each once. Another name in `channels`
    /// grants nothing.
    fn all_subscriptions(&self) -> Box<[Channel]> {
        let names = self.channels.patterns().unwrap_or_default().iter();
        let exact = names.filter(|name| !name.ends_with('*')).filter_map(|name| Channel::new(name).ok());
        let mut all: Vec<_> = self.subscriptions.iter().map(|(channel, _)| channel.clone()).collect();
        all.extend(exact);
        all.sort_unstable();
        all.dedup();
        all.into()
    }
}

const _: () = assert!(Claims::MAX_SUBJECT_BYTES == 255, "the text of TokenError::SUBJECT says 255");

/// The channels of a token (`channels`): those that its bearer may use where a namespace needs a token.
///
/// Without the claim a token is good for every channel. A list is good for the channels that it names; an empty list
/// for none. A name that ends with `*` stands for all names with that prefix, so `"*"` for all names. Elsewhere a `*`
/// is a character like others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChannelGrants(pub(super) Option<Vec<String>>);

impl ChannelGrants {
    /// Every channel.
    #[must_use]
    pub fn all() -> Self {
        Self(None)
    }

    /// Channels with these names and patterns.
    #[must_use]
    pub fn only(patterns: Vec<String>) -> Self {
        Self(Some(patterns))
    }

    /// The names and patterns; `None` for every channel.
    #[must_use]
    pub fn patterns(&self) -> Option<&[String]> {
        self.0.as_deref()
    }

    /// Whether the token is good for a channel.
    #[must_use]
    pub fn allows(&self, channel: &str) -> bool {
        self.0.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| matches(pattern, channel)))
    }
}

fn matches(pattern: &str, channel: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => channel.starts_with(prefix),
        None => pattern == channel,
    }
}

/// The bearer of a good token.
pub(super) struct Bearer {
    claims: Claims,
    /// See [`Identity::subscriptions`]; made when it is first asked for.
    subscriptions: OnceLock<Box<[Channel]>>,
}

impl Bearer {
    pub(super) fn new(claims: Claims) -> Self {
        Self { claims, subscriptions: OnceLock::new() }
    }
}

impl Identity for Bearer {
    fn subject(&self) -> Option<&str> {
        Some(self.claims.subject.as_str()).filter(|subject| !subject.is_empty())
    }

    fn token_id(&self) -> Option<&str> {
        self.claims.id.as_deref()
    }

    fn issued_at(&self) -> Option<SystemTime> {
        self.claims.issued_at
    }

    fn info(&self) -> Option<Bytes> {
        self.claims.info.clone()
    }

    fn subscriptions(&self) -> &[Channel] {
        self.subscriptions.get_or_init(|| self.claims.all_subscriptions())
    }

    fn terms_of(&self, channel: &Channel) -> SubscriptionTerms {
        self.claims.terms(channel).cloned().unwrap_or_default()
    }

    fn may_use(&self, channel: &Channel) -> bool {
        self.claims.channels.allows(channel.as_str()) || self.claims.terms(channel).is_some()
    }

    fn expires_at(&self) -> Option<SystemTime> {
        self.claims.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_names_or_prefixes() {
        let table: &[(&[&str], &str, bool)] = &[
            (&["chat:1"], "chat:1", true),
            (&["chat:1"], "chat:12", false),
            (&["chat:1"], "chat:", false),
            (&["chat:1"], "Chat:1", false),
            (&["chat:*"], "chat:1", true),
            (&["chat:*"], "chat:", true),
            (&["chat:*"], "chat", false),
            (&["chat:*"], "chatter:1", false),
            (&["chat:*"], "news:chat:1", false),
            (&["*"], "anything", true),
            (&["a*b"], "a*b", true),
            (&["a*b"], "axb", false),
            (&["**"], "*x", true),
            (&["**"], "x", false),
            (&[""], "x", false),
            (&["a", "b*"], "bc", true),
            (&["räume*"], "räume:ä", true),
            (&[], "chat:1", false),
        ];
        for (patterns, channel, allowed) in table {
            let grants = ChannelGrants::only(patterns.iter().map(|&pattern| pattern.into()).collect());
            assert_eq!(grants.allows(channel), *allowed, "{patterns:?} {channel}");
        }
        assert!(ChannelGrants::all().allows("anything"));
    }
}
