//! Values of the keys of `[auth]`.

use std::{fs::File, io::Read as _};

use fanfare_auth::{HmacAlgorithm, HmacSecret, PublicKey, RsaAlgorithm, TokenSource};

use crate::config::{
    shape::{Choice, Text},
    words::MASK,
};

/// A public key, and the file it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeyFile {
    /// The configured text: the path, perhaps with `KID=` before it.
    text: String,
    pub(super) id: Option<String>,
    pub(super) key: PublicKey,
}

pub(crate) const HMAC_SECRET: Text<HmacSecret> = Text {
    allowed: "a secret of 32 bytes or more (48 for HS384, 64 for HS512)",
    parse: |text| HmacSecret::new(text).map_err(|error| error.to_string()),
    show: |_| MASK.into(),
    found: |_| MASK.into(),
};

pub(crate) const HMAC_ALGORITHM: Choice<HmacAlgorithm> = Choice {
    words: &[
        ("HS256", HmacAlgorithm::Hs256),
        ("HS384", HmacAlgorithm::Hs384),
        ("HS512", HmacAlgorithm::Hs512),
    ],
};

pub(crate) const PUBLIC_KEY: Text<PublicKeyFile> = Text {
    allowed: "the path of a PEM file with a public key, as \"/etc/fanfare/issuer.pem\" or \"KID=/etc/fanfare/issuer.pem\"",
    parse: public_key,
    show: |file| file.text.clone(),
    found: |text| if text.contains(PEM) { MASK.into() } else { text.into() },
};

pub(crate) const RSA_ALGORITHM: Choice<RsaAlgorithm> = Choice {
    words: &[
        ("RS256", RsaAlgorithm::Rs256),
        ("RS384", RsaAlgorithm::Rs384),
        ("RS512", RsaAlgorithm::Rs512),
        ("PS256", RsaAlgorithm::Ps256),
        ("PS384", RsaAlgorithm::Ps384),
        ("PS512", RsaAlgorithm::Ps512),
    ],
};

/// The value that a claim must have, if any.
pub(crate) const EXPECTED: Text<Option<String>> = Text {
    allowed: "the claim's text; \"\" for none",
    parse: |text| Ok(Some(text.to_owned()).filter(|text| !text.is_empty())),
    show: |expected| expected.clone().unwrap_or_default(),
    found: str::to_owned,
};

pub(crate) const COOKIE: Text<TokenSource> = Text {
    allowed: "the name of a cookie",
    parse: |text| TokenSource::new(text).map_err(|error| error.to_string()),
    show: |source| source.cookie().into(),
    found: str::to_owned,
};

/// Every PEM text has it, and no path does.
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

/// The content of a file of keys or certificates, up to a length that none of them has.
pub(crate) fn read(path: &str) -> std::io::Result<Vec<u8>> {
    /// The authorities that a system trusts have 250 KB.
    const MOST: u64 = 1 << 20;
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
