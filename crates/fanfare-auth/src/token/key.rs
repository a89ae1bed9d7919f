//! The keys that verify tokens.
//!
//! Invariants: a key has exactly one algorithm, and no token chooses another (RFC 8725 §3.1). A key is checked when it
//! is configured: a key that cannot verify a token is refused. Secrets and keys are never printed.

use std::fmt;

use aws_lc_rs::{
    hmac, rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RsaPublicKeyComponents,
    },
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use super::algorithm::{HmacAlgorithm, RsaAlgorithm};

/// A key that verifies the tokens of one algorithm.
#[derive(Clone)]
pub struct TokenKey {
    pub(super) algorithm: Algorithm,
    pub(super) id: Option<String>,
    pub(super) decoding: DecodingKey,
    pub(super) validation: Validation,
}

impl TokenKey {
    /// A secret that the issuer of tokens has too.
    ///
    /// # Errors
    /// The secret is too short for the algorithm.
    pub fn hmac(algorithm: HmacAlgorithm, secret: &HmacSecret) -> Result<Self, TokenKeyError> {
        let (found, needed) = (secret.0.len(), algorithm.min_secret_bytes());
        if found < needed {
            return Err(TokenKeyError::SecretTooShort { found, needed, algorithm });
        }
        Ok(Self::new(algorithm.into(), DecodingKey::from_secret(&secret.0)))
    }

    /// A public key. Only RSA keys leave a choice of algorithm; a curve has one.
    #[must_use]
    pub fn public(key: PublicKey, rsa: RsaAlgorithm) -> Self {
        let algorithm = match key.kind {
            Kind::Rsa => rsa.into(),
            Kind::P256 => Algorithm::ES256,
            Kind::P384 => Algorithm::ES384,
            Kind::Ed25519 => Algorithm::EdDSA,
        };
        Self::new(algorithm, key.decoding)
    }

    pub(super) fn new(algorithm: Algorithm, decoding: DecodingKey) -> Self {
        let mut validation = Validation::new(algorithm);
        // Claims are judged by TokenPolicy, with the time it is given.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self { algorithm, id: None, decoding, validation }
    }

    /// Names the key (`kid`): it is not tried for tokens that name another key.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    /// Whether the key may verify a token that names this key. A key or a token without a name fits every other.
    pub(super) fn goes_with(&self, id: Option<&str>) -> bool {
        self.id.as_deref().zip(id).is_none_or(|(own, wanted)| own == wanted)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TokenKey");
        shown.field("algorithm", &self.algorithm).field("id", &self.id).finish_non_exhaustive()
    }
}

/// A secret for HMAC: the bytes of its text, not decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct HmacSecret(Box<[u8]>);

impl HmacSecret {
    /// Makes a secret of its text.
    ///
    /// # Errors
    /// The text is too short for any algorithm, has white space around it, or is the contents of a key file.
    pub fn new(text: &str) -> Result<Self, TokenKeyError> {
        let algorithm = HmacAlgorithm::default();
        let (found, needed) = (text.len(), algorithm.min_secret_bytes());
        if text.contains(PEM_BEGIN) {
            // With a public key as HMAC secret, everyone could sign.
            Err(TokenKeyError::SecretIsPem)
        } else if text.trim() != text {
            Err(TokenKeyError::SecretPadded)
        } else if found < needed {
            Err(TokenKeyError::SecretTooShort { found, needed, algorithm })
        } else {
            Ok(Self(text.as_bytes().into()))
        }
    }

    /// The HMAC-SHA256 of a message, as hexadecimal digits.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), message);
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for HmacSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSecret(***)")
    }
}

/// A public key that verifies tokens: RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519.
#[derive(Clone)]
pub struct PublicKey {
    kind: Kind,
    decoding: DecodingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

const PEM_BEGIN: &str = "-----BEGIN ";

impl PublicKey {
    /// Reads a PEM file: `PUBLIC KEY` (RFC 7468 §13), or `RSA PUBLIC KEY` (RFC 8017).
    ///
    /// # Errors
    /// The file is not PEM, or its key cannot verify tokens.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TokenKeyError> {
        let text = std::str::from_utf8(pem).map_err(|_| TokenKeyError::NotPem)?;
        let mut labels = text.lines().filter_map(|line| line.strip_prefix(PEM_BEGIN));
        let label = labels.next().and_then(|label| label.trim_end().strip_suffix("-----"));
        match label {
            None => return Err(TokenKeyError::NotPem),
            Some(label) if label.ends_with("PRIVATE KEY") => return Err(TokenKeyError::PrivateKey),
            Some(label) if label.ends_with("CERTIFICATE") => return Err(TokenKeyError::Certificate),
            Some(_) if labels.next().is_some() => return Err(TokenKeyError::SeveralKeys),
            Some("PUBLIC KEY" | "RSA PUBLIC KEY") => {}
            Some(_) => return Err(TokenKeyError::Unsupported),
        }
        if let Ok(decoding) = DecodingKey::from_rsa_pem(pem) {
            return of_rsa(decoding);
        }
        let ec = DecodingKey::from_ec_pem(pem).ok().and_then(of_curve);
        let ed = || DecodingKey::from_ed_pem(pem).ok().and_then(of_edwards);
        ec.or_else(ed).ok_or(TokenKeyError::Unsupported)
    }
}

fn of_rsa(decoding: DecodingKey) -> Result<PublicKey, TokenKeyError> {
    let der = decoding.try_get_as_bytes().map_err(|_| TokenKeyError::NotPem)?;
    let key = rsa::PublicKey::from_der(der).map_err(|_| TokenKeyError::NotPem)?;
    let modulus = RsaPublicKeyComponents::<Vec<u8>>::from(&key).n;
    let leading = modulus.iter().take_while(|byte| **byte == 0).count();
    let unused = modulus.get(leading).map_or(0, |byte| byte.leading_zeros() as usize);
    match (modulus.len() - leading) * 8 - unused {
        2048..=8192 => Ok(PublicKey { kind: Kind::Rsa, decoding }),
        bits => Err(TokenKeyError::RsaSize(bits)),
    }
}

fn of_curve(decoding: DecodingKey) -> Option<PublicKey> {
    let point = decoding.try_get_as_bytes().ok()?;
    let kind = if ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_ok() {
        Kind::P256
    } else {
        ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).ok().map(|_| Kind::P384)?
    };
    Some(PublicKey { kind, decoding })
}

fn of_edwards(decoding: DecodingKey) -> Option<PublicKey> {
    ParsedPublicKey::new(&ED25519, decoding.try_get_as_bytes().ok()?).ok()?;
    Some(PublicKey { kind: Kind::Ed25519, decoding })
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        // Each key was made of bytes, so it has some.
        let bytes = |key: &Self| key.decoding.try_get_as_bytes().map(<[u8]>::to_vec).ok();
        self.kind == other.kind && bytes(self) == bytes(other)
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.kind)
    }
}

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenKeyError {
    /// The secret has fewer bytes than the hash (RFC 7518 §3.2).
    #[error(
        "a secret for {algorithm} has at least {needed} bytes, this one has {found}; `openssl rand -hex {needed}` \
         makes a good one"
    )]
    SecretTooShort {
        /// Its number of bytes.
        found: usize,
        /// The number that the algorithm needs.
        needed: usize,
        /// The algorithm.
        algorithm: HmacAlgorithm,
    },
    /// The secret has white space around it.
    #[error("the secret has white space around it; write it without")]
    SecretPadded,
    /// The secret is the contents of a PEM file.
    #[error("this is a PEM key, not a secret; write the path of its file into `public_keys`")]
    SecretIsPem,
    /// The file is not PEM, or is broken.
    #[error("this is not a public key in PEM; such a file begins with `-----BEGIN PUBLIC KEY-----`")]
    NotPem,
    /// The key is private: only the issuer has it.
    #[error(
        "this is a private key, which only the issuer of tokens should have; `openssl pkey -in FILE -pubout` makes \
         the public one"
    )]
    PrivateKey,
    /// The file is a certificate, with a key in it.
    #[error("this is a certificate; `openssl x509 -in FILE -noout -pubkey` takes the public key out of it")]
    Certificate,
    /// The file has more than one key.
    #[error("there are several keys in this file; write each into a file of its own")]
    SeveralKeys,
    /// The key is of another kind.
    #[error("keys for tokens are RSA, P-256, P-384 or Ed25519 keys; this is another kind, or it is damaged")]
    Unsupported,
    /// The modulus of the RSA key is too small to be safe (RFC 7518 §3.3), or absurdly large.
    #[error("an RSA key for tokens has 2048 to 8192 bits, this one has {0}")]
    RsaSize(usize),
}
