//! The identities of nodes, sessions and clients.

use std::{borrow::Cow, fmt, pin::Pin, str::FromStr, sync::Arc, time::SystemTime};

use bytes::Bytes;

use crate::{Action, Allowance, Channel, Payload};

/// One run of one node: drawn at random at start, never reused.
///
/// A restarted node of the same name is another incarnation. So it never takes what an earlier run left behind, in
/// Redis or in flight, for its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incarnation({self})")
    }
}

/// One session on one incarnation: counted up from 1, never reused within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One session, in the whole cluster: its node and its number there.
///
/// Written as `<incarnation>-<number>`, such as `00c0ffee00c0ffee-17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    /// The node.
    pub node: Incarnation,
    /// The session on it.
    pub session: SessionId,
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.node, self.session.0)
    }
}

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (node, session) = text.split_once('-').ok_or(ClientIdError)?;
        let is_node = node.len() == 16 && node.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_number = !session.is_empty() && session.bytes().all(|byte| byte.is_ascii_digit());
        match (u64::from_str_radix(node, 16), session.parse()) {
            (Ok(node), Ok(session)) if is_node && is_number => {
                Ok(Self { node: Incarnation(node), session: SessionId(session) })
            }
            _ => Err(ClientIdError),
        }
    }
}

/// A text is not a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a client is `node-number`: 16 hexadecimal digits, a hyphen and a number, such as 00c0ffee00c0ffee-17"
)]
pub struct ClientIdError;

/// A client that showed a token. The token was verified once, at the handshake.
pub trait Identity: Send + Sync + 'static {
    /// The subject of the token, where it has one: for the log.
    fn subject(&self) -> Option<&str>;

    /// The id of the token (`jti`), where it has one.
    fn token_id(&self) -> Option<&str> {
        None
    }

    /// When the token was issued (`iat`), where it says so.
    fn issued_at(&self) -> Option<SystemTime> {
        None
    }

    /// Information about the client for other clients: JSON that the node does not read.
    fn info(&self) -> Option<Bytes> {
        None
    }

    /// A text of the operator's backend about the client: JSON that no client sees.
    fn meta(&self) -> Option<Bytes> {
        None
    }

    /// The channels to which the server subscribes the client when it connects, in a dialect that has such subscriptions.
    fn subscriptions(&self) -> &[Channel] {
        &[]
    }

    /// The terms of one of [`Identity::subscriptions`], beside the right to it.
    fn terms_of(&self, channel: &Channel) -> SubscriptionTerms {
        let _ = channel;
        SubscriptionTerms::default()
    }

    /// Whether the client may subscribe to and publish in a channel whose namespace asks for a token.
    fn may_use(&self, channel: &Channel) -> bool;

    /// Whether the operator's backend allows the client an action that a channel's namespace does not permit.
    fn allows(&self, channel: &Channel, action: Action) -> bool {
        let _ = (channel, action);
        false
    }

    /// When the token expires and the session ends; `None`: never.
    fn expires_at(&self) -> Option<SystemTime>;

    /// The identity that this one changes, where the operator's backend changed one.
    fn changes(&self) -> Option<&Arc<dyn Identity>> {
        None
    }
}

/// Verifies the tokens of clients.
pub trait Authenticator: Send + Sync + 'static {
    /// The identity of a client that shows this token at this time.
    ///
    /// # Errors
    /// The token is not good.
    fn authenticate(&self, token: &str, now: SystemTime) -> Result<Arc<dyn Identity>, AuthError>;

    /// The subscription that a token of one channel grants at this time. Whether it is for the client that shows it is
    /// the caller's to check.
    ///
    /// # Errors
    /// The token is not good, or is not for a channel.
    fn authorize(&self, token: &str, now: SystemTime) -> Result<SubscriptionGrant, AuthError> {
        let _ = (token, now);
        Err(AuthError { reason: "tokens of subscriptions are not taken here".into(), is_expired: false })
    }

    /// For a token that is not good: ends once it may be good, because keys were asked for; `None` where that would
    /// not help, or where they were asked for a moment ago.
    fn renewal(&self, _token: &str) -> Option<Renewal> {
        None
    }
}

/// The future that [`Authenticator::renewal`] returns.
pub type Renewal = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A subscription that a token grants, whatever the channel's namespace says of subscribing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionGrant {
    /// The channel.
    pub channel: Channel,
    /// The user that may use the token; `None`: a client without a user.
    pub user: Option<String>,
    /// The client that may use it, in its text form; `None`: each of the user.
    pub client: Option<String>,
    /// The rest.
    pub terms: SubscriptionTerms,
}

/// The terms of a subscription beside the right to it, as a token or the operator's backend says them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriptionTerms {
    /// Information about the subscription for other clients: JSON that the node does not read.
    pub info: Option<Bytes>,
    /// Data for the client, which comes with the news of its subscription.
    pub data: Option<Payload>,
    /// When the subscription ends; `None`: never.
    pub expires_at: Option<SystemTime>,
    /// Whether the client hears of clients that join and leave, whether it asks or not.
    pub joins: bool,
    /// The rights of the client in the channel while it is subscribed, beside those of the namespace.
    pub allowance: Allowance,
}

/// Why a token is not good: a sentence for the client, without a word of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct AuthError {
    /// The sentence.
    pub reason: Cow<'static, str>,
    /// Whether the token was good until it expired: a new one helps.
    pub is_expired: bool,
}

/// The origin of a publication. A publication without an origin was published around us (a plain Redis `PUBLISH`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The node that took it from its publisher.
    pub node: Incarnation,
    /// The session that published it; `None` for the HTTP API.
    pub session: Option<SessionId>,
    /// The number of the publish among those that the node handed to the broker, from 1. Per channel it only rises; a
    /// publication for which it does not was repeated or reordered.
    pub sequence: u64,
}
