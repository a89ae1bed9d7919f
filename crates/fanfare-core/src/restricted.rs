//! Channels whose names restrict their subscribers, in every dialect.
//!
//! - A channel whose name begins with `$` needs a token that names it: the token of a subscription, or the token of a
//!   connection, in its `channels`.
//! - A channel whose name ends with `#` and user ids with commas between them is open to these users alone.

use crate::{Channel, CommandError, Identity};

impl Channel {
    /// Checks that its name permits a client of this identity to subscribe, without a token of the subscription.
    ///
    /// # Errors
    /// It does not, and why.
    pub fn permits(&self, identity: Option<&dyn Identity>) -> Result<(), CommandError> {
        let name = self.as_str();
        let is_named = || identity.is_some_and(|identity| identity.subscriptions().contains(self));
        if name.starts_with('$') && !is_named() {
            return Err(CommandError::BadToken(
                "it is missing, and a channel whose name begins with `$` needs one: get one for this channel"
                    .into(),
            ));
        }
        let user = identity.and_then(Identity::subject);
        match name.rsplit_once('#') {
            Some((_, users)) if !users.split(',').any(|named| !named.is_empty() && Some(named) == user) => {
                Err(CommandError::OtherUsers)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    struct User(&'static str, Vec<Channel>);

    impl Identity for User {
        fn subject(&self) -> Option<&str> {
            Some(self.0)
        }

        fn subscriptions(&self) -> &[Channel] {
            &self.1
        }

        fn may_use(&self, _: &Channel) -> bool {
            true
        }

        fn expires_at(&self) -> Option<SystemTime> {
            None
        }
    }

    #[test]
    fn a_name_restricts_its_subscribers() {
        let channel = |name| Channel::new(name).unwrap();
        let permitted = |name, user: Option<&'static str>| {
            let user = user.map(|user| User(user, vec![channel("$mine")]));
            channel(name).permits(user.as_ref().map(|user| user as &dyn Identity))
        };
        assert_eq!(permitted("news", None), Ok(()));
        assert!(matches!(permitted("$news", Some("ann")), Err(CommandError::BadToken(_))));
        assert_eq!(permitted("$mine", Some("ann")), Ok(()));
        let refused = Err(CommandError::OtherUsers);
        assert_eq!(permitted("chat#ann,bob", Some("bob")), Ok(()));
        assert_eq!(permitted("chat#x#ann", Some("ann")), Ok(()));
        assert_eq!(permitted("chat#ann,bob", Some("bo")), refused);
        assert_eq!(permitted("chat#ann#x", Some("ann")), refused);
        assert_eq!(permitted("chat#ann", None), refused);
        assert_eq!(permitted("chat#", Some("")), refused, "nobody is a user without an id");
    }
}
