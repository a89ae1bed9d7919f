//! The configuration of a node from flags, variables and TOML text, read as `fanfare serve` reads it.

use std::{ffi::OsString, io::Write};

use fanfare::{
    cli::NodeArgs,
    config::{self, Config, Facts, Mistakes, Sources},
};
use tempfile::NamedTempFile;

use crate::{endpoint::KEY, node::TestNode};

/// The grace of nodes in tests (`drain.grace`): usually no balancer has to notice their end.
pub(crate) const NO_GRACE: &str = "0s";

const ANY_PORT: &str = "127.0.0.1:0";

/// A configuration in the making.
#[derive(Debug, Clone)]
pub struct Setup {
    args: NodeArgs,
    key: Option<&'static str>,
    toml: String,
}

impl Setup {
    /// A single node, on a free port of 127.0.0.1.
    #[must_use]
    pub fn memory() -> Self {
        let args =
            NodeArgs { listen: vec![ANY_PORT.into()], node: Some("test".into()), ..NodeArgs::default() };
        Self { args, key: Some(KEY), toml: String::new() }
    }

    /// A node on the Redis of this URL.
    #[must_use]
    pub fn redis(url: &str) -> Self {
        let mut setup = Self::memory();
        setup.args.broker = Some(url.into());
        setup
    }

    /// With `--dev`, and without a key.
    #[must_use]
    pub fn dev(mut self) -> Self {
        self.args.dev = true;
        self.without_key()
    }

    /// Without a key for the API.
    #[must_use]
    pub fn without_key(mut self) -> Self {
        self.key = None;
        self
    }

    /// With this name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.args.node = Some(name.into());
        self
    }

    /// With this address.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.args.listen = vec![address.into()];
        self
    }

    /// With this text at the end of the configuration file.
    #[must_use]
    pub fn toml(mut self, text: &str) -> Self {
        self.toml.push_str(text);
        self.toml.push('\n');
        self
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// All mistakes in it.
    ///
    /// # Panics
    /// If a temporary file cannot be written.
    pub fn load(&self) -> Result<Config, Mistakes> {
        let file = file(&self.toml);
        let args = NodeArgs { config: Some(file.path().to_owned()), ..self.args.clone() };
        let variable = |(name, value)| (OsString::from(name), OsString::from(value));
        let key = self.key.map(|key| ("FANFARE_API__KEYS", key));
        let others = [("FANFARE_DRAIN__GRACE", NO_GRACE)].into_iter().chain(rare_pings(&self.toml));
        let environment = key.into_iter().chain(others).map(variable);
        let sources = Sources {
            flags: args.layer(),
            file: args.config,
            environment: environment.collect(),
            facts: Facts::of_this_machine(),
        };
        config::load(sources).map(|loaded| loaded.config)
    }

    /// Starts a node in this process. Returns once it is ready.
    pub async fn start(&self) -> TestNode {
        let node = self.start_unready();
        node.is_ready().await;
        node
    }

    /// Starts a node in this process. Its broker may be away.
    ///
    /// # Panics
    /// If it cannot start.
    #[must_use]
    pub fn start_unready(&self) -> TestNode {
        match self.load() {
            Ok(config) => TestNode::start(config),
            Err(mistakes) => panic!("the configuration of the test is wrong:\n{mistakes}"),
        }
    }
}

/// The variable for a node that pings rarely, where its configuration file does not say how often: a client of a test
/// answers pings only while the test reads.
pub(crate) fn rare_pings(toml: &str) -> Option<(&'static str, &'static str)> {
    (!toml.contains("ping_interval")).then_some(("FANFARE_RELAY__PING_INTERVAL", "1h"))
}

/// A configuration file, which is removed when this is dropped.
pub(crate) fn file(toml: &str) -> NamedTempFile {
    let written = NamedTempFile::new().and_then(|mut file| file.write_all(toml.as_bytes()).map(|()| file));
    match written {
        Ok(file) => file,
        Err(error) => panic!("a configuration file for the test cannot be written: {error}"),
    }
}
