//! Options of channels, by namespace: a flat list over one default.

use std::{sync::Arc, time::Duration};

use crate::{Action, Channel, ChannelRegex, CommandError, Identity, Retention, labels};

/// The clients that may do an action in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Every client that may connect.
    #[default]
    Anonymous,
    /// Clients whose token grants the channel.
    Token,
    /// Clients that are subscribed to the channel.
    Subscriber,
    /// No client: only the HTTP API, and other programs that publish to the broker.
    Server,
}

impl Access {
    /// Checks that a client may do `action` in a channel of a namespace with this access. `is_subscribed` is asked only
    /// where the answer matters.
    ///
    /// # Errors
    /// The client may not, and why.
    #[inline]
    pub fn permit(
        self,
        identity: impl FnOnce() -> Option<Arc<dyn Identity>>,
        is_subscribed: impl FnOnce() -> bool,
        channel: &Channel,
        action: Action,
    ) -> Result<(), CommandError> {
        match self {
            Self::Anonymous => Ok(()),
            Self::Token => match identity() {
                Some(identity) if identity.may_use(channel) => Ok(()),
                Some(_) => Err(CommandError::NotGranted(action)),
                None => Err(CommandError::NeedsToken(action)),
            },
            Self::Subscriber if is_subscribed() => Ok(()),
            Self::Subscriber => Err(CommandError::NeedsSubscription(action)),
            Self::Server => Err(CommandError::NotPermitted(action)),
        }
    }
}

labels! {
    /// The treatment of a client that does not read fast enough.
    #[derive(Default)]
    pub enum SlowClient {
        /// Its session ends.
        #[default]
        Disconnect = "disconnect",
        /// It keeps its session, and only the newest waiting publication of each channel.
        Conflate = "conflate",
    }
}

labels! {
    /// The past that a client gets which comes back.
    #[derive(Default)]
    pub enum RecoveryMode {
        /// All publications behind its position, or none.
        #[default]
        Stream = "stream",
        /// The newest publication, where the client does not have it.
        Cache = "cache",
    }
}

/// The treatment of a namespace's sessions after an interruption of the broker, in which they may have missed
/// publications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnInterruption {
    /// They stay, and are not told.
    #[default]
    Stay,
    /// They are closed, at a pace, once the broker is back. Their clients reconnect and load what they missed.
    Close,
}

/// The options of the channels of one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// The part of its channels' names before the first `:`; empty for the default namespace.
    pub name: String,
    /// The names of channels that clients may use; `None`: all. The operator's backend may use all.
    pub channel_regex: Option<ChannelRegex>,
    /// The clients that may subscribe.
    pub subscribe: Access,
    /// The clients that may publish.
    pub publish: Access,
    /// Whether the operator's backend says who may subscribe, instead of `subscribe`. Only for clients of a dialect with a
    /// connect command that show no token for the channel.
    pub subscribe_hook: bool,
    /// Whether the operator's backend says who may publish, instead of `publish`. Only for clients of a dialect with a
    /// connect command.
    pub publish_hook: bool,
    /// Whether a publisher that is subscribed gets its own publications too.
    pub echo: bool,
    /// How long publications are kept; `None`: not at all.
    pub retention: Option<Retention>,
    /// The clients that may read what is kept.
    pub history: Access,
    /// The past that a client gets which comes back.
    pub recovery: RecoveryMode,
    /// Whether subscribers that ask for it get publications as differences. Only where publications are kept.
    pub delta: bool,
    /// Whether the clients in its channels are tracked.
    pub tracks_presence: bool,
    /// The clients that may see the clients in a channel.
    pub presence: Access,
    /// How long a client that left is still shown: it may come back.
    pub presence_grace: Duration,
    /// Whether subscribers that ask for it get news of clients that join and leave. Only where presence is tracked.
    pub join_leave: bool,
    /// Whether its channels make events for the operator's backend: occupied and vacated, and where presence is tracked,
    /// members that join and leave.
    pub events: bool,
    /// The treatment of a subscriber that does not read fast enough.
    pub slow_client: SlowClient,
    /// The treatment of its sessions when they may have missed publications.
    pub on_interruption: OnInterruption,
}

impl Default for Namespace {
    fn default() -> Self {
        Self {
            name: String::new(),
            channel_regex: None,
            subscribe: Access::default(),
            publish: Access::default(),
            subscribe_hook: false,
            publish_hook: false,
            echo: true,
            retention: None,
            history: Access::Subscriber,
            recovery: RecoveryMode::default(),
            delta: false,
            tracks_presence: false,
            presence: Access::Subscriber,
            presence_grace: Duration::from_secs(5),
            join_leave: false,
            events: false,
            slow_client: SlowClient::default(),
            on_interruption: OnInterruption::default(),
        }
    }
}

impl Namespace {
    /// Checks that clients may use the name of a channel of this namespace.
    ///
    /// # Errors
    /// They may not, and why.
    #[inline]
    pub fn permits_name(&self, channel: &Channel) -> Result<(), CommandError> {
        self.channel_regex.as_ref().map_or(Ok(()), |pattern| pattern.check(channel))
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
        if self.named.is_empty() {
            return &self.default;
        }
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
