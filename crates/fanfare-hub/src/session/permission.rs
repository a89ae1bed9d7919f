//! The permissions of a namespace and of a channel's name.
//!
//! What the operator's backend allows is looked at only where the namespace refuses.

use fanfare_core::{Access, Action, Channel, CommandError, Namespace};

use crate::session::state::Session;

/// Checks that a namespace with this `access` permits the session's client an action, or the
/// operator's backend.
///
/// # Errors
/// It does not, and why.
#[inline]
pub(crate) fn permit(
    access: Access,
    session: &Session,
    channel: &Channel,
    action: Action,
) -> Result<(), CommandError> {
    let is_subscribed = || session.has_any(|joined| joined == channel);
    match access.permit(|| session.identity(), is_subscribed, channel, action) {
        Err(_) if is_allowed(session, channel, action) => Ok(()),
        permitted => permitted,
    }
}

/// Whether the operator's backend allows the session's client what the namespace does not.
#[cold]
fn is_allowed(session: &Session, channel: &Channel, action: Action) -> bool {
    session.identity().is_some_and(|identity| identity.allows(channel, action))
        || session.granted().is_some_and(|granted| granted.allows(channel, action))
}

/// Checks that the session's client may subscribe to a channel of this namespace without a token for it.
///
/// # Errors
/// It may not, and why.
pub(crate) fn may_subscribe(
    namespace: &Namespace,
    session: &Session,
    channel: &Channel,
) -> Result<(), CommandError> {
    namespace.permits_name(channel)?;
    channel.permits(session.identity().as_deref())?;
    permit(namespace.subscribe, session, channel, Action::Subscribe)
}
