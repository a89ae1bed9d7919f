//! The configuration: from flags, the environment and a file to what a node runs with.
//!
//! A flag beats the environment, that beats the file, that beats the default. Every mistake of all sources is
//! reported at once; a node starts without any or not at all.
//!
//! - [`raw`]: every key, once; `declare` is the macro that makes names, reading and showing of it
//! - `shape`, `words`, `units`: what may stand at a key
//! - `file`, `env`: the sources; flags come from [`crate::cli`]
//! - `auth`, `tls`, `tracing`: keys and rules of `[auth]`, of TLS and of `[tracing]`; `listeners`: rules about addresses
//! - `validate`: rules between keys, and the [`Config`] of it all
//! - [`reload`]: what another reading changes for a node that is running
//! - [`mistake`], [`place`]: what is wrong, and where
//! - [`show`]: what `fanfare config` prints; [`markdown`]: docs/configuration.md; [`schema`]: a JSON Schema for editors

mod auth;
pub mod declare;
mod env;
mod file;
mod listeners;
pub mod markdown;
pub mod mistake;
pub mod place;
pub mod raw;
pub mod reload;
pub mod schema;
pub mod shape;
pub mod show;
pub mod tls;
mod tracing;
mod units;
mod validate;
mod words;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use ::tracing::level_filters::LevelFilter;
use fanfare_auth::{ApiKeys, OriginPolicy};
use fanfare_broker::BrokerConfig;
use fanfare_core::{Heartbeat, Limits, Namespaces};
use fanfare_gateway::{AdmissionLimits, Proxies, Role, tls::Terms};

use crate::{ask::Target, descriptors, scrape::memory};

use self::{
    declare::{Layer, Reader},
    env::Environment,
    file::File,
    place::Place,
    raw::{Raw, RawNamespace},
};

pub use self::{
    auth::Auth,
    auth::words::PublicKeyFile,
    mistake::{Mistake, Mistakes},
    show::Show,
    tracing::{Endpoint, Tracing, TracingHeader, TracingProtocol},
    words::Listen,
};

/// What a node runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen, one entry a role: clients have an address at least. A role without addresses of its own is
    /// served at those for clients.
    pub listeners: Vec<ListenerConfig>,
    /// For development on this machine; all listeners are loopback then.
    pub dev: bool,
    /// What carries messages between nodes, its names in Redis among it.
    pub broker: BrokerConfig,
    /// The node's name, for people.
    pub node: String,
    /// Where the others are told that its metrics are; without it, a guess is made.
    pub advertise: Option<Target>,
    /// The keys of the HTTP API; under `dev` none is needed.
    pub api_keys: ApiKeys,
    /// How clients show who they are; without it no token is good, and no namespace wants one.
    pub auth: Option<Auth>,
    /// Which web pages may come in.
    pub origins: OriginPolicy,
    /// Who comes in, and how many.
    pub admission: AdmissionLimits,
    /// Which proxies say whose connection it is.
    pub proxies: Proxies,
    /// Whether a browser that is not let in is told why in a close frame.
    pub browser_errors: bool,
    /// Whether permessage-deflate is offered.
    pub deflate: bool,
    /// How the relay's sessions are kept alive.
    pub relay: Heartbeat,
    /// Bounds.
    pub limits: Limits,
    /// How the node ends.
    pub drain: Drain,
    /// Threads and shards.
    pub runtime: Runtime,
    /// What is logged, and how.
    pub log: Log,
    /// What is traced, if anything.
    pub tracing: Option<Tracing>,
    /// Options of channels.
    pub namespaces: Namespaces,
}

impl Config {
    /// The addresses for a role, and whether they speak TLS.
    #[must_use]
    pub fn addresses(&self, role: Role) -> (&[Listen], bool) {
        let found = self.listeners.iter().find(|listener| listener.role == role);
        found.map_or((&[], false), |listener| (&listener.addresses, listener.tls.is_some()))
    }
}

/// Where a node listens for one role.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// What the addresses are for.
    pub role: Role,
    /// The addresses.
    pub addresses: Vec<Listen>,
    /// The TLS that they speak, if any.
    pub tls: Option<Terms>,
}

/// How the node ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// How many sessions a second are closed at least.
    pub rate: u32,
    /// How long it goes on as before, but for its readiness: less than `timeout`.
    pub grace: Duration,
    /// How long it may take in all.
    pub timeout: Duration,
}

/// How the work is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runtime {
    /// Worker threads of tokio: at least 1.
    pub workers: usize,
    /// Shards of the hub: at least 1.
    pub shards: usize,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The least important lines.
    pub level: LevelFilter,
    /// How.
    pub format: LogFormat,
    /// How many a second from each place of the program; 0: any number.
    pub lines_per_second: usize,
}

/// How lines are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What defaults depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// How many cores this process may use.
    pub cores: usize,
    /// How many descriptors this process may have at most.
    pub descriptors: usize,
    /// How much memory there is for this process, in bytes.
    pub memory: usize,
    /// The name of this host, as far as it is a name for a node.
    pub hostname: String,
}

impl Facts {
    /// Of this machine.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let hostname = gethostname::gethostname().to_string_lossy().into_owned();
        Self {
            descriptors: descriptors::most(),
            memory: memory::limit(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            hostname: (words::NODE.parse)(&hostname).unwrap_or_else(|_| "node".into()),
        }
    }
}

/// Where values may come from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The flags that were given.
    pub flags: Layer,
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(OsString, OsString)>,
    /// What defaults depend on.
    pub facts: Facts,
}

/// A configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the node runs with.
    pub config: Config,
    raw: Raw,
    namespaces: Vec<RawNamespace>,
}

impl Loaded {
    /// Prints it with the source of each value; with `explain`, with each key's meaning too.
    #[must_use]
    pub fn show(&self, explain: bool) -> Show<'_> {
        Show { loaded: self, explain }
    }
}

/// Reads and checks everything.
///
/// # Errors
/// Every mistake of every source.
pub fn load(sources: Sources) -> Result<Loaded, Mistakes> {
    Given::gather(sources).judge(None)
}

/// What all sources say.
struct Given {
    facts: Facts,
    /// The strongest first.
    layers: [Layer; 4],
    namespaces: Vec<(Place, Layer)>,
    /// What is wrong whatever the keys say.
    mistakes: Vec<Mistake>,
    /// Lines that are no TOML.
    syntax: Vec<Mistake>,
}

impl Given {
    fn gather(sources: Sources) -> Self {
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

    /// What a node would run with; one that is running keeps the values that need a restart.
    fn judge(&self, running: Option<&Raw>) -> Result<Loaded, Mistakes> {
        let mut mistakes = self.mistakes.clone();
        let mut reader = Reader { layers: &self.layers, mistakes: &mut mistakes };
        let raw = Raw::read(&mut reader, &self.facts, running);
        let mut namespace = |(place, layer): &(Place, Layer)| {
            let mut reader = Reader { layers: std::slice::from_ref(layer), mistakes: &mut mistakes };
            let mut namespace = RawNamespace::read(&mut reader, &self.facts, None);
            if namespace.name.place == Place::Default {
                // Without a name the place of its mistakes is where it begins.
                namespace.name.place = place.clone();
            }
            namespace
        };
        let namespaces: Vec<_> = self.namespaces.iter().map(&mut namespace).collect();
        mistakes.extend(validate::check(&raw, &namespaces));
        // Of a line that is no TOML, whatever was made of it is no news.
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

#[cfg(test)]
pub(crate) mod tests;
