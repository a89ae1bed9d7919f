//! The rights of clients that have no session: plain HTTP, and upgrades that ask for the past.

use std::sync::Arc;

use axum::extract::Request;
use fanfare_auth::TokenSourceError;
use fanfare_core::{Access, Action, AuthError, Channel, CommandError, Identity, Namespace};
use fanfare_hub::Hub;

use crate::gateway::ClientAuth;

/// Why the identity of a client is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// The request carries more than one token.
    #[error(transparent)]
    Source(#[from] TokenSourceError),
    /// The token is not good.
    #[error(transparent)]
    Token(#[from] AuthError),
}

/// The identity of a client, if it shows a token and tokens are configured. A token that is not good, or that was
/// revoked, is refused, also where the channel needs no token: else its client would find out later. Where keys may have
/// changed elsewhere, they are waited for, at most as long as a handshake may take.
///
/// # Errors
/// The token is not good.
pub(crate) fn identify<'a>(
    auth: Option<&'a ClientAuth>,
    hub: &'a Hub,
    request: &Request,
) -> impl Future<Output = Result<Option<Arc<dyn Identity>>, IdentityError>> + Send + use<'a> {
    let find = |auth: &ClientAuth| auth.source.find(request.headers(), request.uri().query());
    let found = auth.map(find).transpose().map(Option::flatten);
    async move {
        let Some(token) = found? else { return Ok(None) };
        Ok(Some(hub.identities.identify(token.reveal()).await?))
    }
}

/// Checks that a client may read the history of a channel. The right of subscribers is that of everybody who may
/// subscribe: such a client could read the history as a subscriber.
///
/// # Errors
/// The client may not, and why.
pub(crate) fn may_read_history(
    namespace: &Namespace,
    identity: Option<&Arc<dyn Identity>>,
    channel: &Channel,
) -> Result<(), CommandError> {
    outside_a_session(namespace.history, namespace, identity, channel, Action::ReadHistory)
}

/// Checks that a client may subscribe to a channel.
///
/// # Errors
/// The client may not, and why.
pub(crate) fn may_subscribe(
    namespace: &Namespace,
    identity: Option<&Arc<dyn Identity>>,
    channel: &Channel,
) -> Result<(), CommandError> {
    outside_a_session(namespace.subscribe, namespace, identity, channel, Action::Subscribe)
}

/// Checks that a client may publish in a channel. The right of subscribers is that of everybody who may subscribe.
///
/// # Errors
/// The client may not, and why.
pub(crate) fn may_publish(
    namespace: &Namespace,
    identity: Option<&Arc<dyn Identity>>,
    channel: &Channel,
) -> Result<(), CommandError> {
    outside_a_session(namespace.publish, namespace, identity, channel, Action::Publish)
}

/// Checks that a client may see the clients in a channel, as [`may_read_history`] does.
///
/// # Errors
/// The client may not, and why.
pub(crate) fn may_see_presence(
    namespace: &Namespace,
    identity: Option<&Arc<dyn Identity>>,
    channel: &Channel,
) -> Result<(), CommandError> {
    outside_a_session(namespace.presence, namespace, identity, channel, Action::SeePresence)
}

fn outside_a_session(
    access: Access,
    namespace: &Namespace,
    identity: Option<&Arc<dyn Identity>>,
    channel: &Channel,
    action: Action,
) -> Result<(), CommandError> {
    namespace.permits_name(channel)?;
    channel.permits(identity.map(|identity| &**identity))?;
    let access = if access == Access::Subscriber { namespace.subscribe } else { access };
    access.permit(|| identity.cloned(), || true, channel, action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscribers_are_those_that_may_subscribe() {
        let judged = |history, subscribe| {
            let namespace = Namespace { history, subscribe, ..Namespace::default() };
            may_read_history(&namespace, None, &Channel::new("a").unwrap())
        };
        let action = Action::ReadHistory;
        assert_eq!(judged(Access::Anonymous, Access::Server), Ok(()));
        assert_eq!(judged(Access::Subscriber, Access::Anonymous), Ok(()));
        assert_eq!(judged(Access::Subscriber, Access::Token), Err(CommandError::NeedsToken(action)));
        assert_eq!(judged(Access::Subscriber, Access::Server), Err(CommandError::NotPermitted(action)));
        assert_eq!(judged(Access::Server, Access::Anonymous), Err(CommandError::NotPermitted(action)));
    }
}
