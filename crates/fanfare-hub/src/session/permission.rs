//! The permissions of a namespace, and those of a channel's name.
//!
//! Names have rules of their own in dialects with a connect command: a channel that begins with `$` needs a token of
//! its own, and a channel that ends with `#` and user ids with commas between them is open to these users alone.

use fanfare_core::{Access, Channel, CommandError, Identity, reply::Action};

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
    let is_subscribed = || session.has_any(|joined| joined == channel);
    access.permit(|| session.identity(), is_subscribed, channel, action)
}

/// Checks that the session's client may subscribe to a channel without a token for it, in a namespace with this
/// `access`.
///
/// # Errors
/// It may not, and why.
pub(crate) fn may_subscribe(
    access: Access,
    session: &Session,
    channel: &Channel,
) -> Result<(), CommandError> {
    if session.kind.connects.is_some() {
        permitted_by_name(session, channel)?;
    }
    permit(access, session, channel, Action::Subscribe)
}

/// Checks that a channel's name permits the session's client to subscribe without a token for it.
///
/// # Errors
/// It does not, and why.
pub(crate) fn permitted_by_name(session: &Session, channel: &Channel) -> Result<(), CommandError> {
    let identity = session.identity();
    permits(channel, identity.as_deref().and_then(Identity::subject))
}

fn permits(channel: &Channel, user: Option<&str>) -> Result<(), CommandError> {
    let name = channel.as_str();
    if name.starts_with('$') {
        return Err(CommandError::BadToken(
            "it is missing, and a channel whose name begins with `$` needs one: get one for this channel"
                .into(),
        ));
    }
    match name.rsplit_once('#') {
        Some((_, users)) if !users.split(',').any(|named| !named.is_empty() && Some(named) == user) => {
            Err(CommandError::NotPermitted(Action::Subscribe))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_restricts_its_subscribers() {
        let permitted = |name, user| permits(&Channel::new(name).unwrap(), user);
        assert_eq!(permitted("news", None), Ok(()));
        assert!(matches!(permitted("$news", Some("ann")), Err(CommandError::BadToken(_))));
        let refused = Err(CommandError::NotPermitted(Action::Subscribe));
        assert_eq!(permitted("chat#ann,bob", Some("bob")), Ok(()));
        assert_eq!(permitted("chat#x#ann", Some("ann")), Ok(()));
        assert_eq!(permitted("chat#ann,bob", Some("bo")), refused);
        assert_eq!(permitted("chat#ann#x", Some("ann")), refused);
        assert_eq!(permitted("chat#ann", None), refused);
        assert_eq!(permitted("chat#", Some("")), refused, "nobody is a user without an id");
    }
}
