//! Channel options, by namespace: a flat list over one default.

use crate::{Channel, labels};

/// Who may do a thing in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Everybody who may connect.
    #[default]
    Anonymous,
    /// Only clients whose token grants the channel.
    Token,
    /// Only the HTTP API (and whoever publishes to the broker directly).
    Server,
}

labels! {
    /// What becomes of a client that does not read fast enough.
    #[derive(Default)]
    pub enum SlowClient {
        /// Its session ends.
        #[default]
        Disconnect = "disconnect",
        /// It keeps its session, and of what waits for it only the newest publication of each channel.
        Conflate = "conflate",
    }
}

/// What becomes of the sessions of a namespace after an interruption of the broker, in which they may have missed
/// publications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnInterruption {
    /// They stay, and are not told.
    #[default]
    Stay,
    /// They are closed, at a pace, once the broker is back: their clients reconnect and load what they missed.
    Close,
}

/// The options of the channels of one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// What stands before the first `:` of its channels; empty for the default namespace.
    pub name: String,
    /// Who may subscribe.
    pub subscribe: Access,
    /// Who may publish.
    pub publish: Access,
    /// Whether a publisher that is subscribed gets its own publications too.
    pub echo: bool,
    /// What becomes of a subscriber that does not read fast enough.
    pub slow_client: SlowClient,
    /// What becomes of its sessions when they may have missed something.
    pub on_interruption: OnInterruption,
}

impl Default for Namespace {
    fn default() -> Self {
        Self {
            name: String::new(),
            subscribe: Access::default(),
            publish: Access::default(),
            echo: true,
            slow_client: SlowClient::default(),
            on_interruption: OnInterruption::default(),
        }
    }
}

/// All namespaces of a node.
#[derive(Debug, Clone, Default)]
pub struct Namespaces {
    default: Namespace,
    named: Vec<Namespace>,
}

impl Namespaces {
    /// The namespaces given, over `default` for every channel that is in none of them.
    #[must_use]
    pub fn new(default: Namespace, named: Vec<Namespace>) -> Self {
        Self { default, named }
    }

    /// The namespace of a channel.
    #[must_use]
    pub fn of(&self, channel: &Channel) -> &Namespace {
        channel
            .namespace()
            .and_then(|name| self.named.iter().find(|namespace| namespace.name == name))
            .unwrap_or(&self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_outside_every_namespace_has_the_default() {
        let quiet = Namespace { name: "quiet".into(), echo: false, ..Namespace::default() };
        let namespaces = Namespaces::new(Namespace::default(), vec![quiet]);
        let echo = |name| namespaces.of(&Channel::new(name).unwrap()).echo;
        assert!(!echo("quiet:1"));
        assert!(echo("quiet"));
        assert!(echo("other:1"));
    }
}
