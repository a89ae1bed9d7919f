//! The permissions of a namespace.

use fanfare_core::{Access, Channel, CommandError, command::Action};

use crate::session::state::Session;

/// Checks that a namespace with this `access` permits the session's client an action.
///
/// # Errors
/// It does not, and why.
pub(crate) fn permit(
    access: Access,
    session: &Session,
    channel: &Channel,
    action: Action,
) -> Result<(), CommandError> {
    match access {
        Access::Anonymous => Ok(()),
        Access::Token => match session.identity() {
            Some(identity) if identity.may_use(channel) => Ok(()),
            Some(_) => Err(CommandError::NotGranted(action)),
            None => Err(CommandError::NeedsToken(action)),
        },
        Access::Subscriber if session.has_any(|joined| joined == channel) => Ok(()),
        Access::Subscriber => Err(CommandError::NeedsSubscription(action)),
        Access::Server => Err(CommandError::NotPermitted(action)),
    }
}
