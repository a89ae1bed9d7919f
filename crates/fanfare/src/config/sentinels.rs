//! The rules of the login for Sentinels.

use fanfare_broker::Login;

use super::{mistake::Mistake, raw::Raw};

/// The login for Sentinels.
pub(super) fn login(raw: &Raw) -> Login {
    Login { username: raw.sentinel_user.value.clone(), password: raw.sentinel_password.value.clone() }
}

/// The mistakes between the keys of the broker.
pub(super) fn check(raw: &Raw) -> Option<Mistake> {
    let mistake = |key: &str, place, found: &str, allowed: &str, hint: String| {
        let (key, found, allowed) = (key.into(), found.into(), allowed.into());
        Some(Mistake { place, key, found, allowed, hint: Some(hint) })
    };
    let (user, password) = (&raw.sentinel_user, &raw.sentinel_password);
    if user.value.is_some() && password.value.is_none() && password.sound {
        let (found, allowed) =
            ("a user, without redis.sentinel_password", "both keys, or the password alone");
        return mistake("redis.sentinel_user", user.place.clone(), found, allowed, "add the password".into());
    }
    if password.value.is_some() && raw.broker.sound && !raw.broker.value.has_sentinels() {
        let (found, allowed) =
            ("a password, and a broker without Sentinels", "this key together with redis+sentinel://");
        let hint = format!("a password for Redis itself belongs into `broker` ({})", raw.broker.place);
        return mistake("redis.sentinel_password", password.place.clone(), found, allowed, hint);
    }
    None
}
