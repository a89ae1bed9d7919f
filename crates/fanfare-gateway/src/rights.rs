//! The rights of clients that have no session: plain HTTP, and upgrades that ask for the past.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::extract::Request;
use fanfare_auth::{Token, TokenSourceError};
use fanfare_core::{Access, AuthError, Channel, CommandError, Identity, Namespace, command::Action};
use tokio::time::timeout;

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

/// The token of a request, if it shows one and tokens are configured.
///
/// # Errors
/// It shows more than one.
pub(crate) fn token_of(auth: Option<&ClientAuth>, request: &Request) -> Result<Option<Token>, IdentityError> {
    let Some(auth) = auth else { return Ok(None) };
    Ok(auth.source.find(request.headers(), request.uri().query())?)
}

/// The identity of a client with this token. A token that is not good is refused, also where the channel needs no token:
/// else its client would find out later. Where keys may have changed elsewhere, they are waited for, at most this long.
///
/// # Errors
/// The token is not good.
pub(crate) async fn identify(
    auth: Option<&ClientAuth>,
    token: Option<Token>,
    patience: Duration,
) -> Result<Option<Arc<dyn Identity>>, IdentityError> {
    let Some((ClientAuth { authenticator, .. }, token)) = auth.zip(token) else { return Ok(None) };
    match authenticator.authenticate(token.reveal(), SystemTime::now()) {
        Ok(identity) => Ok(Some(identity)),
        Err(error) => {
            let renewal = authenticator.renewal(token.reveal()).ok_or(error)?;
            // Also where it takes too long, the answer is the authenticator's.
            drop(timeout(patience, renewal).await);
            Ok(Some(authenticator.authenticate(token.reveal(), SystemTime::now())?))
        }
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
    let access = match namespace.history {
        Access::Subscriber => namespace.subscribe,
        other => other,
    };
    access.permit(|| identity.cloned(), || true, channel, Action::ReadHistory)
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
