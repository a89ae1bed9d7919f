//! Values of the keys of TLS: paths of files, which are read.

use std::fmt;

use fanfare_gateway::tls::Expiry;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};

use crate::config::{auth::words::read, shape::Text, words::MASK};

/// A file with certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertFile {
    pub(super) path: String,
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

/// A file with a private key.
pub struct KeyFile {
    pub(super) path: String,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Clone for KeyFile {
    fn clone(&self) -> Self {
        Self { path: self.path.clone(), key: self.key.clone_key() }
    }
}

impl PartialEq for KeyFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.key.secret_der() == other.key.secret_der()
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyFile").field(&self.path).finish()
    }
}

pub(crate) const CERT: Text<Option<CertFile>> = Text {
    allowed: "the path of a PEM file with the certificate and those that lead to its root; \"\" for none",
    parse: certificates,
    show: |file| file.as_ref().map(|file| file.path.clone()).unwrap_or_default(),
    found: path_only,
};

pub(crate) const CA: Text<Option<CertFile>> =
    Text { allowed: "the path of a PEM file with the certificates of authorities; \"\" for none", ..CERT };

pub(crate) const KEY: Text<Option<KeyFile>> = Text {
    allowed: "the path of a PEM file with the private key of the certificate; \"\" for none",
    parse: private_key,
    show: |file| file.as_ref().map(|file| file.path.clone()).unwrap_or_default(),
    found: path_only,
};

/// Every PEM text has it, and no path does.
const PEM: &str = "-----BEGIN";

/// Masks a key that was written where its path belongs.
fn path_only(text: &str) -> String {
    if text.contains(PEM) { MASK.into() } else { text.into() }
}

fn certificates(text: &str) -> Result<Option<CertFile>, String> {
    let Some(pem) = pem(text)? else { return Ok(None) };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| format!("{text} is not valid PEM: {error}"))?;
    if certificates.is_empty() {
        let has_key = PrivateKeyDer::from_pem_slice(&pem).is_ok();
        let hint =
            if has_key { ", but a private key: that belongs to the other of the two keys" } else { "" };
        return Err(format!("{text} has no certificate (-----BEGIN CERTIFICATE-----){hint}"));
    }
    for certificate in &certificates {
        Expiry::of(certificate).map_err(|error| format!("{text}: {error}"))?;
    }
    Ok(Some(CertFile { path: text.into(), certificates }))
}

fn private_key(text: &str) -> Result<Option<KeyFile>, String> {
    let Some(pem) = pem(text)? else { return Ok(None) };
    match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(key) => Ok(Some(KeyFile { path: text.into(), key })),
        Err(pem::Error::NoItemsFound) if pem.windows(9).any(|part| part == b"ENCRYPTED") => Err(format!(
            "the key in {text} is encrypted: decrypt it with `openssl pkey -in {text} -out KEY`, for its owner's \
             eyes only"
        )),
        Err(pem::Error::NoItemsFound) => {
            Err(format!("{text} has no private key (-----BEGIN PRIVATE KEY-----)"))
        }
        Err(error) => Err(format!("{text} is not valid PEM: {error}")),
    }
}

fn pem(text: &str) -> Result<Option<Vec<u8>>, String> {
    if text.contains(PEM) {
        return Err("write it into a file, and its path here".into());
    }
    if text.is_empty() {
        return Ok(None);
    }
    read(text).map(Some).map_err(|error| format!("cannot read {text}: {error}"))
}
