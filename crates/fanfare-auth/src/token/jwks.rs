//! Keys in JSON (RFC 7517): a JWKS, as identity providers publish it.
//!
//! Invariants
//! - Each key has one algorithm: that of its `alg`, or the one of its kind.
//! - A secret (`oct`) is never taken: everybody can read the set.
//! - A key that cannot verify tokens is left out. The others are taken: providers publish keys for other purposes too.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

use super::{algorithm::RsaAlgorithm, key::TokenKey};

/// The most keys of a set.
const MOST: usize = 100;

/// A document is not a set of keys for tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// It is not JSON of that form.
    #[error("it is not a JWKS, {{\"keys\": [...]}}: {0}")]
    Form(String),
    /// It has too many keys.
    #[error("it has {0} keys, at most {MOST} are taken")]
    TooMany(usize),
    /// Not one key can verify tokens.
    #[error("not one of its keys can verify tokens: RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519")]
    NoKey,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Key>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Key {
    kty: String,
    r#use: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: String,
    n: String,
    e: String,
    x: String,
    y: String,
}

/// The keys of a document. `rsa` is the algorithm of RSA keys that do not name one.
///
/// # Errors
/// The document has no key for tokens.
pub fn keys_of(document: &[u8], rsa: RsaAlgorithm) -> Result<Vec<TokenKey>, JwksError> {
    let set: Set = serde_json::from_slice(document).map_err(|error| JwksError::Form(error.to_string()))?;
    if set.keys.len() > MOST {
        return Err(JwksError::TooMany(set.keys.len()));
    }
    let keys: Vec<_> = set.keys.iter().filter_map(|key| key.read(rsa)).collect();
    if keys.is_empty() { Err(JwksError::NoKey) } else { Ok(keys) }
}

impl Key {
    fn read(&self, rsa: RsaAlgorithm) -> Option<TokenKey> {
        if self.r#use.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let (algorithm, decoding) = match (&*self.kty, &*self.crv) {
            ("RSA", _) => (self.rsa_algorithm(rsa)?, self.rsa()?),
            ("EC", "P-256") => (Algorithm::ES256, self.curve(&ECDSA_P256_SHA256_FIXED)?),
            ("EC", "P-384") => (Algorithm::ES384, self.curve(&ECDSA_P384_SHA384_FIXED)?),
            ("OKP", "Ed25519") => (Algorithm::EdDSA, self.edwards()?),
            _ => return None,
        };
        if self.alg.as_deref().is_some_and(|named| named.parse() != Ok(algorithm)) {
            return None;
        }
        let key = TokenKey::new(algorithm, decoding);
        Some(match &self.kid {
            Some(id) => key.with_id(id),
            None => key,
        })
    }

    fn rsa_algorithm(&self, usual: RsaAlgorithm) -> Option<Algorithm> {
        let Some(named) = &self.alg else { return Some(usual.into()) };
        let named = named.parse().ok()?;
        RsaAlgorithm::ALL.into_iter().map(Algorithm::from).find(|algorithm| *algorithm == named)
    }

    fn rsa(&self) -> Option<DecodingKey> {
        let modulus = BASE64_URL_SAFE_NO_PAD.decode(&self.n).ok()?;
        let leading = modulus.iter().take_while(|byte| **byte == 0).count();
        let unused = modulus.get(leading).map_or(0, |byte| byte.leading_zeros() as usize);
        let bits = (modulus.len() - leading) * 8 - unused;
        (2048..=8192).contains(&bits).then(|| DecodingKey::from_rsa_components(&self.n, &self.e).ok())?
    }

    fn curve(&self, curve: &'static aws_lc_rs::signature::EcdsaVerificationAlgorithm) -> Option<DecodingKey> {
        let decoding = DecodingKey::from_ec_components(&self.x, &self.y).ok()?;
        ParsedPublicKey::new(curve, decoding.try_get_as_bytes().ok()?).ok()?;
        Some(decoding)
    }

    fn edwards(&self) -> Option<DecodingKey> {
        let decoding = DecodingKey::from_ed_components(&self.x).ok()?;
        ParsedPublicKey::new(&ED25519, decoding.try_get_as_bytes().ok()?).ok()?;
        Some(decoding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7517 A.1 and RFC 8037 A.2.
    const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi\
                     FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7\
                     d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-\
                     csFCur-kEgU8awapJzKnqDKgw";
    const EC: &str = r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;
    const ED: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    fn read(keys: &[&str]) -> Result<Vec<(Algorithm, Option<String>)>, JwksError> {
        let keys: Vec<_> = keys.iter().map(|key| format!("{{{key}}}")).collect();
        let document = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        let found = keys_of(document.as_bytes(), RsaAlgorithm::Ps256)?;
        Ok(found.into_iter().map(|key| (key.algorithm, key.id)).collect())
    }

    #[test]
    fn keys_have_the_algorithm_of_their_kind() {
        let rsa = |more: &str| format!(r#""kty":"RSA","n":"{N}","e":"AQAB"{more}"#);
        assert_eq!(read(&[EC]), Ok(vec![(Algorithm::ES256, None)]));
        let named = format!(r#"{ED},"kid":"one","use":"sig","alg":"EdDSA""#);
        assert_eq!(read(&[&named]), Ok(vec![(Algorithm::EdDSA, Some("one".into()))]));
        assert_eq!(read(&[&rsa("")]), Ok(vec![(Algorithm::PS256, None)]));
        assert_eq!(read(&[&rsa(r#","alg":"RS512""#)]), Ok(vec![(Algorithm::RS512, None)]));
    }

    #[test]
    fn useless_keys_are_left_out() {
        let secret = r#""kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA","alg":"HS256""#;
        for useless in [
            secret,
            &format!(r#"{EC},"use":"enc""#),
            &format!(r#"{EC},"alg":"RS256""#),
            &format!(r#"{EC},"alg":"none""#),
            &EC.replace("P-256", "P-384"),
            &EC.replace("4Etl", "5Etl"),
            r#""kty":"RSA","n":"AQAB","e":"AQAB""#,
            r#""kty":"RSA","n":"","e":"""#,
            &format!(r#""kty":"RSA","n":"{N}","e":"AQAB","alg":"HS256""#),
            r#""kty":"new""#,
            "",
        ] {
            assert_eq!(read(&[useless]), Err(JwksError::NoKey), "{useless}");
            assert_eq!(read(&[useless, ED]).map(|keys| keys.len()), Ok(1), "{useless}");
        }
    }

    #[test]
    fn a_document_is_a_bounded_set() {
        let wrong = |document: &str| keys_of(document.as_bytes(), RsaAlgorithm::default()).unwrap_err();
        for document in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[{"kty":1}]}"#] {
            assert!(matches!(wrong(document), JwksError::Form(_)), "{document}");
        }
        assert_eq!(wrong(r#"{"keys":[]}"#), JwksError::NoKey);
        assert_eq!(read(&vec![ED; 100]).map(|keys| keys.len()), Ok(100));
        assert_eq!(read(&vec![ED; 101]), Err(JwksError::TooMany(101)));
    }
}
