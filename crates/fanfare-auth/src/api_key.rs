//! Which backends may use the HTTP API.
//!
//! Invariants: a key is never printed, logged or part of an error. Only its SHA-256 is kept, so every
//! comparison is of 32 bytes, takes the same time wherever they differ, and is made with every key.

use std::fmt;

use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// A key of the HTTP API.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey([u8; 32]);

impl ApiKey {
    /// The shortest key, in characters: 64 bits, if it is hexadecimal.
    pub const MIN_LENGTH: usize = 16;
    /// The longest key, in characters.
    pub const MAX_LENGTH: usize = 256;

    /// Takes a key.
    ///
    /// # Errors
    /// It is too short, too long, or could not be sent in a header.
    pub fn new(key: &str) -> Result<Self, ApiKeyError> {
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ApiKeyError::Invisible);
        }
        match key.len() {
            length if length < Self::MIN_LENGTH => Err(ApiKeyError::TooShort(length)),
            length if length > Self::MAX_LENGTH => Err(ApiKeyError::TooLong(length)),
            _ => Ok(Self::digest(key.as_bytes())),
        }
    }

    fn digest(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(***)")
    }
}

/// Why a configured key is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// Fewer characters than [`ApiKey::MIN_LENGTH`].
    #[error(
        "an API key has at least {min} characters, this one has {0}; `openssl rand -hex 32` makes a good one",
        min = ApiKey::MIN_LENGTH
    )]
    TooShort(usize),
    /// More characters than [`ApiKey::MAX_LENGTH`].
    #[error("an API key has at most {max} characters, this one has {0}", max = ApiKey::MAX_LENGTH)]
    TooLong(usize),
    /// It could not be sent in a header as it is.
    #[error("an API key has visible ASCII characters only, and no spaces")]
    Invisible,
}

/// The keys of the HTTP API: several, so that one can be replaced while the other still works.
#[derive(Debug, Clone, Default)]
pub struct ApiKeys {
    keys: Vec<ApiKey>,
    allow_without: bool,
}

impl ApiKeys {
    /// Whoever has one of these keys may come in; without keys, nobody.
    #[must_use]
    pub fn new(keys: Vec<ApiKey>) -> Self {
        Self { keys, allow_without: false }
    }

    /// For development: a request without a key passes too. One with a wrong key is still refused where keys
    /// are configured, so that a mistake shows before production.
    #[must_use]
    pub fn allow_without(self) -> Self {
        Self { allow_without: true, ..self }
    }

    /// Judges a request by its `X-API-Key`, or its `Authorization: apikey KEY`.
    ///
    /// # Errors
    /// A refusal that says what to send, and never what was sent.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), ApiKeyRefusal> {
        let given = given(headers)?;
        match given {
            None if self.allow_without => Ok(()),
            Some(_) if self.allow_without && self.keys.is_empty() => Ok(()),
            _ if self.keys.is_empty() => Err(ApiKeyRefusal::NoneConfigured),
            None => Err(ApiKeyRefusal::Missing),
            Some(key) if self.knows(key) => Ok(()),
            Some(_) => Err(ApiKeyRefusal::Wrong),
        }
    }

    fn knows(&self, key: &[u8]) -> bool {
        let given = ApiKey::digest(key);
        // No `any`: it would stop at the first that matches.
        self.keys.iter().fold(Choice::from(0), |known, key| known | key.0.ct_eq(&given.0)).into()
    }
}

/// Why a request to the API was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyRefusal {
    /// No key was sent.
    #[error("an API key is needed: send it as `X-API-Key: KEY` or as `Authorization: apikey KEY`")]
    Missing,
    /// A key was sent more than once.
    #[error("the API key was sent more than once")]
    Several,
    /// A key that is not among those configured.
    #[error("this API key is not one of this server's")]
    Wrong,
    /// There are no keys, so none can be right.
    #[error(
        "this server has no API keys, so its HTTP API is closed; configure `keys` under [api], or \
         FANFARE_API__KEYS"
    )]
    NoneConfigured,
}

fn given(headers: &HeaderMap) -> Result<Option<&[u8]>, ApiKeyRefusal> {
    let own = headers.get_all("x-api-key").iter().map(|value| Some(value.as_bytes()));
    let authorization = headers.get_all(header::AUTHORIZATION).iter().map(|value| apikey(value.as_bytes()));
    let mut keys = own.chain(authorization).flatten();
    let key = keys.next();
    if keys.next().is_some() { Err(ApiKeyRefusal::Several) } else { Ok(key) }
}

/// The key of `apikey KEY`; `None` for other schemes, which are not about API keys.
fn apikey(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked("apikey ".len())?;
    scheme.eq_ignore_ascii_case(b"apikey ").then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const OLD: &str = "old-key-0123456789abcdef";
    const NEW: &str = "new-key-0123456789abcdef";

    fn keys() -> ApiKeys {
        ApiKeys::new(vec![ApiKey::new(OLD).unwrap(), ApiKey::new(NEW).unwrap()])
    }

    fn sent(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |&(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        lines.iter().map(line).fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
    }

    #[test]
    fn each_of_several_keys_opens_in_both_headers() {
        for key in [OLD, NEW] {
            assert_eq!(keys().check(&sent(&[("x-api-key", key)])), Ok(()));
            assert_eq!(keys().check(&sent(&[("authorization", &format!("apikey {key}"))])), Ok(()));
            assert_eq!(keys().check(&sent(&[("authorization", &format!("ApiKey {key}"))])), Ok(()));
            let both = [("x-api-key", key), ("authorization", "Bearer something")];
            assert_eq!(keys().check(&sent(&both)), Ok(()));
        }
    }

    #[test]
    fn what_is_no_configured_key_does_not_open() {
        let table = [
            (vec![], ApiKeyRefusal::Missing),
            (vec![("authorization", "Bearer old-key-0123456789abcdef")], ApiKeyRefusal::Missing),
            (vec![("x-api-key", "")], ApiKeyRefusal::Wrong),
            (vec![("x-api-key", "old-key-0123456789abcde")], ApiKeyRefusal::Wrong),
            (vec![("x-api-key", "OLD-KEY-0123456789abcdef")], ApiKeyRefusal::Wrong),
            (vec![("authorization", "apikey ")], ApiKeyRefusal::Wrong),
            (vec![("x-api-key", OLD), ("x-api-key", OLD)], ApiKeyRefusal::Several),
            (vec![("x-api-key", OLD), ("authorization", "apikey x")], ApiKeyRefusal::Several),
        ];
        for (lines, refusal) in table {
            assert_eq!(keys().check(&sent(&lines)), Err(refusal), "{lines:?}");
        }
    }

    #[test]
    fn without_configured_keys_nobody_gets_in() {
        for lines in [vec![], vec![("x-api-key", OLD)], vec![("x-api-key", "")]] {
            assert_eq!(ApiKeys::default().check(&sent(&lines)), Err(ApiKeyRefusal::NoneConfigured));
        }
    }

    #[test]
    fn dev_needs_no_key_but_refuses_a_wrong_one() {
        let dev = keys().allow_without();
        assert_eq!(dev.check(&sent(&[])), Ok(()));
        assert_eq!(dev.check(&sent(&[("x-api-key", OLD)])), Ok(()));
        assert_eq!(dev.check(&sent(&[("x-api-key", "wrong")])), Err(ApiKeyRefusal::Wrong));
        assert_eq!(ApiKeys::default().allow_without().check(&sent(&[("x-api-key", "any")])), Ok(()));
    }

    #[test]
    fn a_key_that_could_not_be_sent_or_guessed_too_easily_is_no_key() {
        assert_eq!(ApiKey::new("fifteen-letters"), Err(ApiKeyError::TooShort(15)));
        assert_eq!(ApiKey::new(&"x".repeat(257)), Err(ApiKeyError::TooLong(257)));
        assert_eq!(ApiKey::new("with a space 0123456789"), Err(ApiKeyError::Invisible));
        assert_eq!(ApiKey::new("schlüssel-0123456789"), Err(ApiKeyError::Invisible));
    }

    #[test]
    fn a_key_is_never_printed() {
        let shown = format!("{:?} {:?}", keys(), ApiKey::new(OLD));
        assert!(!shown.contains("0123") && shown.contains("***"), "{shown}");
    }
}
