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
    match (access, &session.identity) {
        (Access::Anonymous, _) => Ok(()),
        (Access::Token, Some(identity)) if identity.may_use(channel) => Ok(()),
        (Access::Token, Some(_)) => Err(CommandError::NotGranted(action)),
        (Access::Token, None) => Err(CommandError::NeedsToken(action)),
        (Access::Server, _) => Err(CommandError::NotPermitted(action)),
    }
}
