//! `[auth]`: the keys that verify clients' tokens, what tokens must say, and where they may be.
//!
//! Invariant: a node that has a token policy has a key, and a namespace that wants tokens has a policy.

use std::{fs::File, io::Read as _};

use fanfare_auth::{
    HmacAlgorithm, HmacSecret, PublicKey, RsaAlgorithm, SigningKey, TokenKey, TokenKeys, TokenPolicy,
    TokenSource,
};
use fanfare_core::Access;

use super::{
    Loaded,
    mistake::Mistake,
    place::{Place, Sourced},
    raw::{Raw, RawNamespace},
    shape::{Choice, Text},
    words::MASK,
};

/// How clients show who they are.
#[derive(Debug, Clone)]
pub struct Auth {
    /// Which tokens are good; it has a key.
    pub tokens: TokenPolicy,
    /// Where a request carries its token.
    pub source: TokenSource,
}

/// A public key, and the file it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeyFile {
    /// As it was configured: the path, perhaps with `KID=` before it.
    text: String,
    id: Option<String>,
    key: PublicKey,
}

pub(super) const HMAC_SECRET: Text<HmacSecret> = Text {
    allowed: "a secret of 32 bytes or more (48 for HS384, 64 for HS512)",
    parse: |text| HmacSecret::new(text).map_err(|error| error.to_string()),
    show: |_| MASK.into(),
    found: |_| MASK.into(),
};

pub(super) const HMAC_ALGORITHM: Choice<HmacAlgorithm> = Choice {
    words: &[
        ("HS256", HmacAlgorithm::Hs256),
        ("HS384", HmacAlgorithm::Hs384),
        ("HS512", HmacAlgorithm::Hs512),
    ],
};

pub(super) const PUBLIC_KEY: Text<PublicKeyFile> = Text {
    allowed: "the path of a PEM file with a public key, as \"/etc/fanfare/issuer.pem\" or \"KID=/etc/fanfare/issuer.pem\"",
    parse: public_key,
    show: |file| file.text.clone(),
    found: |text| if text.contains(PEM) { MASK.into() } else { text.into() },
};

pub(super) const RSA_ALGORITHM: Choice<RsaAlgorithm> = Choice {
    words: &[
        ("RS256", RsaAlgorithm::Rs256),
        ("RS384", RsaAlgorithm::Rs384),
        ("RS512", RsaAlgorithm::Rs512),
        ("PS256", RsaAlgorithm::Ps256),
        ("PS384", RsaAlgorithm::Ps384),
        ("PS512", RsaAlgorithm::Ps512),
    ],
};

/// What a claim must be, if anything.
pub(super) const EXPECTED: Text<Option<String>> = Text {
    allowed: "the claim's text; \"\" for none",
    parse: |text| Ok(Some(text.to_owned()).filter(|text| !text.is_empty())),
    show: |expected| expected.clone().unwrap_or_default(),
    found: str::to_owned,
};

pub(super) const COOKIE: Text<TokenSource> = Text {
    allowed: "the name of a cookie",
    parse: |text| TokenSource::new(text).map_err(|error| error.to_string()),
    show: |source| source.cookie().into(),
    found: str::to_owned,
};

/// What a key has and no path.
const PEM: &str = "-----BEGIN";

fn public_key(text: &str) -> Result<PublicKeyFile, String> {
    if text.contains(PEM) {
        return Err("write the key into a file, and its path here".into());
    }
    let named = text.split_once('=').filter(|(id, _)| !id.is_empty() && !id.contains('/'));
    let (id, path) = named.map_or((None, text), |(id, path)| (Some(id.to_owned()), path));
    let pem = read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let key = PublicKey::from_pem(&pem).map_err(|error| format!("{path}: {error}"))?;
    Ok(PublicKeyFile { text: text.into(), id, key })
}

/// What a file of keys or certificates holds, as far as it is not absurdly long.
pub(super) fn read(path: &str) -> std::io::Result<Vec<u8>> {
    /// All authorities that a system trusts are 250 KB.
    const MOST: u64 = 1 << 20;
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How clients show who they are; `None` if nothing could verify it.
pub(super) fn auth(raw: &Raw) -> Option<Auth> {
    let (keys, _) = keys(raw);
    let policy = |keys| TokenPolicy {
        keys: TokenKeys::new(keys),
        audience: raw.audience.value.clone(),
        issuer: raw.issuer.value.clone(),
        leeway: raw.leeway.value,
    };
    let source = raw.cookie.value.clone();
    (!keys.is_empty()).then(|| Auth { tokens: policy(keys), source })
}

impl Loaded {
    /// The first of the secrets, which can sign too.
    pub(crate) fn hmac_key(&self) -> Option<SigningKey> {
        let secret = self.raw.hmac_secrets.value.first()?;
        Some(SigningKey::hmac(self.raw.hmac_algorithm.value, &secret.value))
    }

    /// The algorithm of RSA keys.
    pub(crate) fn rsa_algorithm(&self) -> RsaAlgorithm {
        self.raw.rsa_algorithm.value
    }
}

/// Everything that is wrong between keys of `[auth]`, and between them and the namespaces.
pub(super) fn check(raw: &Raw, namespaces: &[RawNamespace]) -> Vec<Mistake> {
    let (keys, mut mistakes) = keys(raw);
    let are_keys_known = raw.hmac_secrets.sound && raw.public_keys.sound && mistakes.is_empty();
    if are_keys_known && keys.is_empty() {
        mistakes.extend(expected_of_none("auth.audience", &raw.audience));
        mistakes.extend(expected_of_none("auth.issuer", &raw.issuer));
        for namespace in namespaces {
            mistakes.extend(token_of_none("namespace.subscribe", &namespace.subscribe));
            mistakes.extend(token_of_none("namespace.publish", &namespace.publish));
        }
    }
    mistakes
}

/// The keys, and the secrets that are too short for their algorithm.
fn keys(raw: &Raw) -> (Vec<TokenKey>, Vec<Mistake>) {
    let (mut keys, mut mistakes) = (Vec::new(), Vec::new());
    for secret in &raw.hmac_secrets.value {
        match TokenKey::hmac(raw.hmac_algorithm.value, &secret.value) {
            Ok(key) => keys.push(key),
            Err(error) => mistakes.push(Mistake {
                place: secret.place.clone(),
                key: "auth.hmac_secrets".into(),
                found: format!("\"{MASK}\""),
                allowed: format!(
                    "at least {} bytes, for auth.hmac_algorithm (\"{}\", {})",
                    raw.hmac_algorithm.value.min_secret_bytes(),
                    raw.hmac_algorithm.value,
                    raw.hmac_algorithm.place
                ),
                hint: Some(error.to_string()),
            }),
        }
    }
    keys.extend(raw.public_keys.value.iter().map(|file| {
        let key = TokenKey::public(file.value.key.clone(), raw.rsa_algorithm.value);
        match &file.value.id {
            Some(id) => key.with_id(id),
            None => key,
        }
    }));
    (keys, mistakes)
}

/// Who demands something of tokens means to have them looked at.
fn expected_of_none(key: &str, expected: &Sourced<Option<String>>) -> Option<Mistake> {
    let found = expected.value.as_ref()?;
    Some(without_keys(key, &expected.place, format!("{found:?}")))
}

fn token_of_none(key: &str, access: &Sourced<Access>) -> Option<Mistake> {
    (access.value == Access::Token).then(|| without_keys(key, &access.place, "\"token\"".into()))
}

fn without_keys(key: &str, place: &Place, found: String) -> Mistake {
    Mistake {
        place: place.clone(),
        key: key.into(),
        found,
        allowed: "that only with a key under [auth]".into(),
        hint: Some(
            "without a key no token can be verified: add hmac_secrets or public_keys under [auth]".into(),
        ),
    }
}

#[cfg(test)]
pub(super) mod tests;
