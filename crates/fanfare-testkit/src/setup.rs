//! A node's configuration, made of flags, variables and TOML text, and read as `fanfare serve` reads it.

use std::{ffi::OsString, io::Write};

use fanfare::{
    cli::NodeArgs,
    config::{self, Config, Facts, Mistakes, Sources},
};
use tempfile::NamedTempFile;

use crate::node::TestNode;

/// The key of the HTTP API that nodes of tests have, unless [`Setup::without_key`].
pub const KEY: &str = "key-of-the-tests-0123456789";

/// How long nodes of tests go on after they were told to end (`drain.grace`): no balancer has to notice.
pub(crate) const NO_GRACE: &str = "0s";

const ANY_PORT: &str = "127.0.0.1:0";

/// A configuration to be.
#[derive(Debug, Clone)]
pub struct Setup {
    args: NodeArgs,
    key: Option<&'static str>,
    toml: String,
}

impl Setup {
    /// A node that is alone, on a free port of 127.0.0.1.
    #[must_use]
    pub fn memory() -> Self {
        let args =
            NodeArgs { listen: vec![ANY_PORT.into()], node: Some("test".into()), ..NodeArgs::default() };
        Self { args, key: Some(KEY), toml: String::new() }
    }

    /// The same with a Redis, given by its URL.
    #[must_use]
    pub fn redis(url: &str) -> Self {
        let mut setup = Self::memory();
        setup.args.broker = Some(url.into());
        setup
    }

    /// With `--dev`, and no key.
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

    /// Listening there instead.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.args.listen = vec![address.into()];
        self
    }

    /// With this at the end of the configuration file.
    #[must_use]
    pub fn toml(mut self, text: &str) -> Self {
        self.toml.push_str(text);
        self.toml.push('\n');
        self
    }

    /// Reads it.
    ///
    /// # Errors
    /// Every mistake in it.
    ///
    /// # Panics
    /// Where no temporary file can be written.
    pub fn load(&self) -> Result<Config, Mistakes> {
        let file = file(&self.toml);
        let args = NodeArgs { config: Some(file.path().to_owned()), ..self.args.clone() };
        let variable = |(name, value)| (OsString::from(name), OsString::from(value));
        let key = self.key.map(|key| ("FANFARE_API__KEYS", key));
        let environment = key.into_iter().chain([("FANFARE_DRAIN__GRACE", NO_GRACE)]).map(variable);
        let sources = Sources {
            flags: args.layer(),
            file: args.config,
            environment: environment.collect(),
            facts: Facts::of_this_machine(),
        };
        config::load(sources).map(|loaded| loaded.config)
    }

    /// Starts a node in this process, and returns once it is ready.
    pub async fn start(&self) -> TestNode {
        let node = self.start_unready();
        node.is_ready().await;
        node
    }

    /// Starts a node in this process, whose broker may be away.
    ///
    /// # Panics
    /// Where it cannot start.
    #[must_use]
    pub fn start_unready(&self) -> TestNode {
        match self.load() {
            Ok(config) => TestNode::start(config),
            Err(mistakes) => panic!("the configuration of the test is wrong:\n{mistakes}"),
        }
    }
}

/// A configuration file, there until this is dropped.
pub(crate) fn file(toml: &str) -> NamedTempFile {
    let written = NamedTempFile::new().and_then(|mut file| file.write_all(toml.as_bytes()).map(|()| file));
    match written {
        Ok(file) => file,
        Err(error) => panic!("a configuration file for the test cannot be written: {error}"),
    }
}
