//! The keys of backends that may use the HTTP API.
//!
//! Invariants: a key is never printed, logged or part of an error. Only its SHA-256 is kept. So each comparison is one
//! of 32 bytes, takes the same time wherever they differ, and is made with every key.

use std::fmt;

use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// A key of the HTTP API.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey([u8; 32]);

impl ApiKey {
    /// The length of the shortest key, in characters: 64 bits in hexadecimal.
    pub const MIN_LENGTH: usize = 16;
    /// The length of the longest key, in characters.
    pub const MAX_LENGTH: usize = 256;

    /// Makes a key of its text.
    ///
    /// # Errors
    /// The text is too short, too long, or cannot be sent in a header.
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

/// Why a text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// It has fewer characters than [`ApiKey::MIN_LENGTH`].
    #[error(
        "an API key has at least {min} characters, this one has {0}; `openssl rand -hex 32` makes a good one",
        min = ApiKey::MIN_LENGTH
    )]
    TooShort(usize),
    /// It has more characters than [`ApiKey::MAX_LENGTH`].
    #[error("an API key has at most {max} characters, this one has {0}", max = ApiKey::MAX_LENGTH)]
    TooLong(usize),
    /// It cannot be sent in a header.
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
    /// These keys. Without keys every request is refused.
    #[must_use]
    pub fn new(keys: Vec<ApiKey>) -> Self {
        Self { keys, allow_without: false }
    }

    /// For development: a request without a key passes too. A request with a wrong key is still refused where keys are
    /// configured, so that a mistake shows before production.
    #[must_use]
    pub fn allow_without(self) -> Self {
        Self { allow_without: true, ..self }
    }

    /// Checks the key of a request: its `X-API-Key`, its `Authorization: apikey KEY`, or one of `in_query`.
    ///
    /// # Errors
    /// The key is missing or wrong. The text never quotes the request.
    pub fn check(&self, headers: &HeaderMap, in_query: &[String]) -> Result<(), ApiKeyRefusal> {
        let given = given(headers, in_query)?;
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
        // `any` would stop at the first key that matches.
        self.keys.iter().fold(Choice::from(0), |known, key| known | key.0.ct_eq(&given.0)).into()
    }
}

/// Why a request to the API was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyRefusal {
    /// The request has no key.
    #[error(
        "an API key is needed: send it as `X-API-Key: KEY`, as `Authorization: apikey KEY`, or as `?api_key=KEY`"
    )]
    Missing,
    /// The request has more than one key.
    #[error("the API key was sent more than once")]
    Several,
    /// The key is not configured.
    #[error("this API key is not one of this server's")]
    Wrong,
    /// The server has no keys.
    #[error(
        "this server has no API keys, so its HTTP API is closed; configure `keys` under [api], or \
         FANFARE_API__KEYS"
    )]
    NoneConfigured,
}

fn given<'r>(headers: &'r HeaderMap, in_query: &'r [String]) -> Result<Option<&'r [u8]>, ApiKeyRefusal> {
    let own = headers.get_all("x-api-key").iter().map(|value| Some(value.as_bytes()));
    let authorization = headers.get_all(header::AUTHORIZATION).iter().map(|value| apikey(value.as_bytes()));
    let in_query = in_query.iter().map(String::as_bytes);
    let mut keys = own.chain(authorization).flatten().chain(in_query);
    let key = keys.next();
    if keys.next().is_some() { Err(ApiKeyRefusal::Several) } else { Ok(key) }
}

/// The key of `apikey KEY`; `None` for other schemes.
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
    fn each_key_opens_in_both_headers() {
        for key in [OLD, NEW] {
            assert_eq!(keys().check(&sent(&[("x-api-key", key)]), &[]), Ok(()));
            assert_eq!(keys().check(&sent(&[("authorization", &format!("apikey {key}"))]), &[]), Ok(()));
            assert_eq!(keys().check(&sent(&[("authorization", &format!("ApiKey {key}"))]), &[]), Ok(()));
            let both = [("x-api-key", key), ("authorization", "Bearer something")];
            assert_eq!(keys().check(&sent(&both), &[]), Ok(()));
        }
    }

    #[test]
    fn a_key_opens_in_the_query() {
        let check = |lines: &[(&'static str, &str)], in_query: &[&str]| {
            let in_query: Vec<_> = in_query.iter().map(|key| (*key).to_owned()).collect();
            keys().check(&sent(lines), &in_query)
        };
        assert_eq!(check(&[], &[NEW]), Ok(()));
        assert_eq!(check(&[], &["wrong"]), Err(ApiKeyRefusal::Wrong));
        assert_eq!(check(&[], &[""]), Err(ApiKeyRefusal::Wrong));
        assert_eq!(check(&[], &[OLD, OLD]), Err(ApiKeyRefusal::Several));
        assert_eq!(check(&[("x-api-key", OLD)], &[OLD]), Err(ApiKeyRefusal::Several));
    }

    #[test]
    fn an_unknown_key_does_not_open() {
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
            assert_eq!(keys().check(&sent(&lines), &[]), Err(refusal), "{lines:?}");
        }
    }

    #[test]
    fn without_keys_every_call_is_refused() {
        for lines in [vec![], vec![("x-api-key", OLD)], vec![("x-api-key", "")]] {
            assert_eq!(ApiKeys::default().check(&sent(&lines), &[]), Err(ApiKeyRefusal::NoneConfigured));
        }
    }

    #[test]
    fn dev_refuses_only_a_wrong_key() {
        let dev = keys().allow_without();
        assert_eq!(dev.check(&sent(&[]), &[]), Ok(()));
        assert_eq!(dev.check(&sent(&[("x-api-key", OLD)]), &[]), Ok(()));
        assert_eq!(dev.check(&sent(&[("x-api-key", "wrong")]), &[]), Err(ApiKeyRefusal::Wrong));
        assert_eq!(ApiKeys::default().allow_without().check(&sent(&[("x-api-key", "any")]), &[]), Ok(()));
    }

    #[test]
    fn a_key_is_long_and_fits_a_header() {
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
