//! A certificate for 127.0.0.1, made for one run.

use std::io::Write as _;

use anyhow::Context as _;
use tempfile::NamedTempFile;

use crate::client::{Manner, Tls};

/// A certificate and its key. Their files are removed when this is dropped.
#[derive(Debug)]
pub(super) struct Certificate {
    certificate: NamedTempFile,
    key: NamedTempFile,
    tls: Tls,
}

impl Certificate {
    pub(super) fn new() -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).context("a certificate")?;
        let file = |text: &str| -> anyhow::Result<NamedTempFile> {
            let mut file = NamedTempFile::new().context("a file for a certificate")?;
            file.write_all(text.as_bytes())?;
            Ok(file)
        };
        let pem = made.cert.pem();
        let key = file(&made.signing_key.serialize_pem())?;
        Ok(Self { certificate: file(&pem)?, key, tls: Tls::try_from(pem)? })
    }

    /// The configuration of a node with this certificate.
    pub(super) fn toml(&self) -> String {
        format!("[tls]\ncert = {:?}\nkey = {:?}\n", self.certificate.path(), self.key.path())
    }

    /// The manner of clients that trust this certificate.
    pub(super) fn manner(&self) -> Manner {
        Manner { tls: Some(self.tls.clone()), ..Manner::default() }
    }
}
