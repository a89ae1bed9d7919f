//! Revocations as text: a field and a value of a hash. Times are whole seconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_core::{Revocation, revocation::Tokens};

/// The field of a revocation. A later one of the same tokens has the same.
pub(crate) fn field(tokens: &Tokens) -> String {
    match tokens {
        Tokens::OfUser { user, .. } => format!("user:{user}"),
        Tokens::WithId(id) => format!("id:{id}"),
    }
}

/// The value of a revocation: when it is over, and for a user the last issue time.
pub(crate) fn value(revocation: &Revocation) -> String {
    let until = seconds(revocation.until);
    match &revocation.tokens {
        Tokens::OfUser { issued_until, .. } => format!("{until} {}", seconds(*issued_until)),
        Tokens::WithId(_) => until.to_string(),
    }
}

/// The revocation of a field; `None` where it is not of this format.
pub(crate) fn decode(field: &str, value: &str) -> Option<Revocation> {
    let mut times = value.split(' ').map(|time| time.parse().ok().and_then(time_of));
    let until = times.next()??;
    let tokens = match field.split_once(':')? {
        ("user", user) => Tokens::OfUser { user: user.to_owned(), issued_until: times.next()?? },
        ("id", id) => Tokens::WithId(id.to_owned()),
        _ => return None,
    };
    Some(Revocation { tokens, until })
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn time_of(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_is_read_as_it_is_written() {
        let at = |seconds| time_of(seconds).unwrap();
        for tokens in [
            Tokens::OfUser { user: "a:b c".into(), issued_until: at(7) },
            Tokens::OfUser { user: String::new(), issued_until: at(0) },
            Tokens::WithId("1".into()),
        ] {
            let revocation = Revocation { tokens, until: at(9) };
            assert_eq!(decode(&field(&revocation.tokens), &value(&revocation)), Some(revocation));
        }
        for (field, value) in [("user:a", "9"), ("user", "9 9"), ("id:1", ""), ("id:1", "x"), ("x:1", "9")] {
            assert_eq!(decode(field, value), None, "{field} {value}");
        }
    }
}
