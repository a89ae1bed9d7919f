//! All sources together, and the configuration that comes of them.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use fanfare_auth::{RsaAlgorithm, SigningKey};

use super::{
    auth,
    declare::{Layer, Reader},
    env::{self, Environment},
    facts::Facts,
    file::File,
    mistake::{Mistake, Mistakes},
    node_config::Config,
    place::Place,
    raw::{Raw, RawNamespace},
    validate,
};

/// The sources of values.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The flags that were given.
    pub flags: Layer,
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The facts on which defaults depend.
    pub facts: Facts,
}

/// A configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values that the node runs with.
    pub config: Config,
    pub(super) raw: Raw,
    pub(super) namespaces: Vec<RawNamespace>,
}

impl Loaded {
    /// The key that signs tokens: the first of `auth.hmac_secrets`.
    pub(crate) fn hmac_key(&self) -> Option<SigningKey> {
        auth::hmac_key(&self.raw)
    }

    /// The algorithm of RSA keys.
    pub(crate) fn rsa_algorithm(&self) -> RsaAlgorithm {
        self.raw.rsa_algorithm.value
    }
}

/// Reads and checks everything.
///
/// # Errors
/// Every mistake of every source.
pub fn load(sources: Sources) -> Result<Loaded, Mistakes> {
    Layers::read(sources).resolve(None)
}

/// The values of all sources, before they are judged.
pub(super) struct Layers {
    facts: Facts,
    /// The strongest first.
    layers: [Layer; 4],
    namespaces: Vec<(Place, Layer)>,
    /// Mistakes that do not depend on the values of keys.
    mistakes: Vec<Mistake>,
    /// Lines that are not TOML.
    syntax: Vec<Mistake>,
}

impl Layers {
    pub(super) fn read(sources: Sources) -> Self {
        let Sources { flags, file, environment, facts } = sources;
        let mut mistakes = Vec::new();
        let environment = Environment::read(environment, &mut mistakes);
        let file = match (file, environment.file) {
            (Some(path), _) => read_file(&path, Place::Flag("--config"), &mut mistakes),
            (None, Some(path)) => read_file(&path, Place::Environment(env::FILE.into()), &mut mistakes),
            (None, None) => File::default(),
        };
        mistakes.extend(file.unknown);
        let layers = [flags, environment.layer, file.layer, file.misspelt];
        Self { facts, layers, namespaces: file.namespaces, mistakes, syntax: file.syntax }
    }

    /// The configuration of a node. A node that runs (`running`) keeps the values that need a restart.
    pub(super) fn resolve(&self, running: Option<&Raw>) -> Result<Loaded, Mistakes> {
        let mut mistakes = self.mistakes.clone();
        let mut reader = Reader { layers: &self.layers, mistakes: &mut mistakes };
        let raw = Raw::read(&mut reader, &self.facts, running);
        let mut namespace = |(place, layer): &(Place, Layer)| {
            let mut reader = Reader { layers: std::slice::from_ref(layer), mistakes: &mut mistakes };
            let mut namespace = RawNamespace::read(&mut reader, &self.facts, None);
            if namespace.name.place == Place::Default {
                // Mistakes of a namespace without a name are reported where it begins.
                namespace.name.place = place.clone();
            }
            namespace
        };
        let namespaces: Vec<_> = self.namespaces.iter().map(&mut namespace).collect();
        mistakes.extend(validate::check(&raw, &namespaces));
        // A line that is not TOML is one mistake, whatever was made of it.
        mistakes.retain(|mistake| !self.syntax.iter().any(|broken| broken.place == mistake.place));
        mistakes.extend(self.syntax.iter().cloned());
        Mistakes::none_in(mistakes)?;
        Ok(Loaded { config: validate::config(&raw, &namespaces), raw, namespaces })
    }
}

fn read_file(path: &Path, place: Place, mistakes: &mut Vec<Mistake>) -> File {
    let shown = path.display().to_string();
    let found = match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => return File::read(&shown, &text),
        Ok(Err(_)) => format!("{shown}: not UTF-8"),
        Err(error) => format!("{shown}: {error}"),
    };
    let allowed = "a TOML file that can be read".into();
    mistakes.push(Mistake { place, key: "the configuration file".into(), found, allowed, hint: None });
    File::default()
}
