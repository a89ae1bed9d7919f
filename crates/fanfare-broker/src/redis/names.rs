//! The names of Fanfare's channels and keys in Redis.
//!
//! Invariant: channels that carry data begin with `<prefix>:`, and all other names with `<prefix>!`. A prefix has
//! neither character, so no name of one prefix is a name of another.

use std::{fmt, sync::Arc};

use fanfare_core::{Channel, Incarnation};

use super::pubsub::PubSub;

/// The beginning of all names of one Fanfare cluster in Redis. Pub/Sub ignores database numbers, so two clusters on one
/// Redis need two prefixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(Arc<str>);

/// Why a string is not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// It is empty, or longer than [`Prefix::MAX_BYTES`].
    #[error("a prefix has 1 to {max} bytes, this one has {0}", max = Prefix::MAX_BYTES)]
    Length(usize),
    /// It has a character that a prefix must not have.
    #[error("a prefix is visible ASCII without ':' and '!', this one has {0:?}")]
    Character(char),
}

impl Prefix {
    /// The longest prefix, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Takes a prefix, if it is one.
    ///
    /// # Errors
    /// A [`PrefixError`] names the mistake.
    pub fn new(prefix: &str) -> Result<Self, PrefixError> {
        if prefix.is_empty() || prefix.len() > Self::MAX_BYTES {
            return Err(PrefixError::Length(prefix.len()));
        }
        match prefix.chars().find(|c| !c.is_ascii_graphic() || matches!(c, ':' | '!')) {
            Some(found) => Err(PrefixError::Character(found)),
            None => Ok(Self(prefix.into())),
        }
    }

    /// Whether it has a hash tag of its own, so that the names of all partitions of a Cluster would be in one slot.
    #[must_use]
    pub fn has_brace(&self) -> bool {
        self.0.contains('{')
    }

    /// The prefix of a partition of a Cluster: this hash tag is in all names.
    pub(crate) fn tagged(&self, tag: &str) -> Self {
        Self(format!("{}{{{tag}}}", self.0).into())
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("fanfare".into())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names that one node uses.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: Prefix,
    pubsub: PubSub,
    data: String,
    stream: String,
    meta: String,
    control_own: String,
    control_all: String,
    canary: String,
    heartbeat: String,
}

/// The purpose of a channel in Redis.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning<'a> {
    /// The data of the channel of this name.
    Data(&'a str),
    /// Control messages, for this node or for all.
    Control,
    /// This node's canary.
    Canary,
    /// A channel that this node did not ask for.
    Unknown,
}

impl Names {
    pub(crate) fn new(prefix: Prefix, node: Incarnation) -> Self {
        Self {
            data: format!("{prefix}:"),
            stream: format!("{prefix}!stream:"),
            meta: format!("{prefix}!meta:"),
            control_own: control_of(&prefix, node),
            control_all: format!("{prefix}!control"),
            canary: format!("{prefix}!canary:{node}"),
            heartbeat: format!("{prefix}!heartbeat:{node}"),
            pubsub: PubSub::Plain,
            prefix,
        }
    }

    /// The same names with these words of Pub/Sub.
    pub(crate) fn with(self, pubsub: PubSub) -> Self {
        Self { pubsub, ..self }
    }

    /// The words of Pub/Sub.
    pub(crate) fn pubsub(&self) -> PubSub {
        self.pubsub
    }

    /// A channel that nobody is subscribed to.
    pub(crate) fn nobody(&self) -> String {
        format!("{}!nobody", self.prefix)
    }

    /// The two halves of the name of the Redis channel that carries the data of `channel`.
    pub(crate) fn data<'a>(&'a self, channel: &'a Channel) -> [&'a str; 2] {
        [&self.data, channel.as_str()]
    }

    /// The two halves of the key of a channel's history.
    pub(crate) fn stream<'a>(&'a self, channel: &'a Channel) -> [&'a str; 2] {
        [&self.stream, channel.as_str()]
    }

    /// The two halves of the key of a channel's epoch and offset.
    pub(crate) fn meta<'a>(&'a self, channel: &'a Channel) -> [&'a str; 2] {
        [&self.meta, channel.as_str()]
    }

    /// The key of an idempotency key of a channel. Its length says where the name of the channel ends.
    pub(crate) fn once(&self, channel: &Channel, key: &str) -> String {
        let name = channel.as_str();
        format!("{}!once:{}:{name}:{key}", self.prefix, name.len())
    }

    /// The channel of this node's own control messages.
    pub(crate) fn control_own(&self) -> &str {
        &self.control_own
    }

    /// The channel of control messages for all.
    pub(crate) fn control_all(&self) -> &str {
        &self.control_all
    }

    /// The channel of a node's control messages.
    pub(crate) fn control_of(&self, node: Incarnation) -> String {
        control_of(&self.prefix, node)
    }

    /// The channel of this node's canary.
    pub(crate) fn canary(&self) -> &str {
        &self.canary
    }

    /// The key that says that this node lives.
    pub(crate) fn heartbeat(&self) -> &str {
        &self.heartbeat
    }

    /// The key that says that a node lives.
    pub(crate) fn heartbeat_of(&self, node: Incarnation) -> String {
        format!("{}!heartbeat:{node}", self.prefix)
    }

    /// The hash of revoked tokens.
    pub(crate) fn revoked(&self) -> String {
        format!("{}!revoked", self.prefix)
    }

    /// The hash of the clients in a channel.
    pub(crate) fn presence(&self, channel: &Channel) -> String {
        format!("{}!presence:{channel}", self.prefix)
    }

    /// The key that says that no entry of this node was removed from presence by another one.
    pub(crate) fn present(&self, node: Incarnation) -> String {
        format!("{}!present:{node}", self.prefix)
    }

    /// The key that is gone only where Redis lost its memory: unlike the one above, no other node removes it.
    pub(crate) fn remembered(&self, node: Incarnation) -> String {
        format!("{}!remembered:{node}", self.prefix)
    }

    /// The stream of events that the operator's backend did not take yet.
    pub(crate) fn events(&self) -> String {
        format!("{}!events", self.prefix)
    }

    /// The key that names the node that sends events.
    pub(crate) fn sender(&self) -> String {
        format!("{}!events-sender", self.prefix)
    }

    /// The hash of the nodes that occupy a channel.
    pub(crate) fn occupied(&self, channel: &Channel) -> String {
        format!("{}!occupied:{channel}", self.prefix)
    }

    /// The hash of the channels that a node occupies.
    pub(crate) fn occupies(&self, node: Incarnation) -> String {
        format!("{}!occupies:{node}", self.prefix)
    }

    /// The hash of the nodes that occupy channels.
    pub(crate) fn occupying(&self) -> String {
        format!("{}!occupying", self.prefix)
    }

    /// The key of the note that says since when nodes have been on this server.
    pub(crate) fn server(&self) -> String {
        format!("{}!server", self.prefix)
    }

    /// The sorted set of all nodes' incarnations.
    pub(crate) fn nodes(&self) -> String {
        format!("{}!nodes", self.prefix)
    }

    /// The key of one node's entry.
    pub(crate) fn node(&self, incarnation: &str) -> String {
        format!("{}!node:{incarnation}", self.prefix)
    }

    /// The purpose of a Redis channel.
    pub(crate) fn meaning<'a>(&self, channel: &'a [u8]) -> Meaning<'a> {
        if let Some(name) = channel.strip_prefix(self.data.as_bytes()) {
            return std::str::from_utf8(name).map_or(Meaning::Unknown, Meaning::Data);
        }
        if channel == self.control_own.as_bytes() || channel == self.control_all.as_bytes() {
            return Meaning::Control;
        }
        if channel == self.canary.as_bytes() {
            return Meaning::Canary;
        }
        Meaning::Unknown
    }
}

fn control_of(prefix: &Prefix, node: Incarnation) -> String {
    format!("{prefix}!control:{node}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_short_visible_ascii_without_separators() {
        for (prefix, error) in [
            ("", PrefixError::Length(0)),
            ("a:b", PrefixError::Character(':')),
            ("a!b", PrefixError::Character('!')),
            ("a b", PrefixError::Character(' ')),
            ("ä", PrefixError::Character('ä')),
            ("a\n", PrefixError::Character('\n')),
        ] {
            assert_eq!(Prefix::new(prefix), Err(error), "{prefix:?}");
        }
        assert_eq!(Prefix::new(&"x".repeat(65)), Err(PrefixError::Length(65)));
        assert!(Prefix::new(&"x".repeat(64)).is_ok());
        assert_eq!(Prefix::default().to_string(), "fanfare");
    }

    #[test]
    fn data_and_everything_else_are_told_apart() {
        let names = Names::new(Prefix::default(), Incarnation(7));
        assert_eq!(names.data(&Channel::new("chat:1").unwrap()).concat(), "fanfare:chat:1");
        assert_eq!(names.meaning(b"fanfare:chat:1"), Meaning::Data("chat:1"));
        // Whatever the name of a channel, it carries data.
        assert_eq!(names.meaning(b"fanfare:!control"), Meaning::Data("!control"));
        assert_eq!(names.meaning(b"fanfare!control"), Meaning::Control);
        assert_eq!(names.meaning(b"fanfare!control:0000000000000007"), Meaning::Control);
        assert_eq!(names.meaning(b"fanfare!control:0000000000000008"), Meaning::Unknown);
        assert_eq!(names.meaning(b"fanfare!canary:0000000000000007"), Meaning::Canary);
        assert_eq!(names.meaning(b"fanfare!canary:0000000000000008"), Meaning::Unknown);
        assert_eq!(
            names.meaning(b"fanfare:!canary:0000000000000007"),
            Meaning::Data("!canary:0000000000000007")
        );
        assert_eq!(names.meaning(b"other:chat:1"), Meaning::Unknown);
        assert_eq!(names.meaning(b"fanfare:\xff"), Meaning::Unknown);
        assert_eq!(names.control_of(Incarnation(7)), names.control_own());
        assert_eq!(names.heartbeat_of(Incarnation(7)), names.heartbeat());
        assert_eq!(names.nodes(), "fanfare!nodes");
        assert_eq!(names.node("00ff"), "fanfare!node:00ff");
        let [a, b] = ["a", "a:b"].map(|name| Channel::new(name).unwrap());
        assert_eq!(names.stream(&b).concat(), "fanfare!stream:a:b");
        assert_eq!(names.meta(&b).concat(), "fanfare!meta:a:b");
        assert_eq!(
            [names.once(&a, "b:c"), names.once(&b, "c")],
            ["fanfare!once:1:a:b:c", "fanfare!once:3:a:b:c"]
        );
    }
}
