//! The changes of another reading of the sources, for a node that runs.
//!
//! Invariants
//! - A node never runs with a mixture that it would refuse at its start: the values that it keeps and the new ones are
//!   judged together.
//! - A default that depends on other keys depends on the values that the node runs with, not on those that wait for a
//!   restart.

use std::collections::BTreeMap;

use super::{
    Loaded, Mistakes, Sources,
    declare::{Applies, Key},
    load::Layers,
    raw::RawNamespace,
};

/// The changes of a reload.
#[derive(Debug, Clone)]
pub struct Change {
    /// The configuration from now on.
    pub loaded: Loaded,
    /// The values that changed: keys, and namespaces with their keys.
    pub used: Vec<String>,
    /// Keys whose values in the sources are used after a restart only.
    pub waiting: Vec<&'static str>,
}

/// Why nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoChange {
    /// The configuration has mistakes.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// The configuration is valid, but not together with the values that the node keeps until a restart.
    #[error("{0}")]
    NeedsRestart(Mistakes),
}

impl NoChange {
    /// The mistakes.
    #[must_use]
    pub fn mistakes(&self) -> &Mistakes {
        match self {
            Self::Mistakes(mistakes) | Self::NeedsRestart(mistakes) => mistakes,
        }
    }
}

impl Loaded {
    /// Reads the sources again, for a node that runs with this configuration.
    ///
    /// # Errors
    /// Nothing may change, and why.
    pub fn reload(&self, sources: Sources) -> Result<Change, NoChange> {
        let layers = Layers::read(sources);
        let next = layers.resolve(None).map_err(NoChange::Mistakes)?;
        let loaded = layers.resolve(Some(&self.raw)).map_err(NoChange::NeedsRestart)?;
        let mut used: Vec<_> = self.raw.changed(&loaded.raw).iter().map(|key| key.path.to_owned()).collect();
        used.extend(changed_namespaces(&self.namespaces, &loaded.namespaces));
        let waits = |key: &Key| key.applies == Applies::AtRestart;
        let waiting = self.raw.changed(&next.raw).into_iter().filter(waits).map(|key| key.path).collect();
        Ok(Change { loaded, used, waiting })
    }
}

/// `namespace "news": publish`, and namespaces that are new or gone.
fn changed_namespaces(running: &[RawNamespace], next: &[RawNamespace]) -> Vec<String> {
    let by_name = |namespaces: &[RawNamespace]| -> BTreeMap<String, RawNamespace> {
        namespaces.iter().map(|namespace| (namespace.name.value.clone(), namespace.clone())).collect()
    };
    let (running, mut next) = (by_name(running), by_name(next));
    let mut changed = Vec::new();
    for (name, namespace) in &running {
        match next.remove(name) {
            None => changed.push(format!("namespace {name:?}: gone")),
            Some(other) => {
                let names: Vec<_> =
                    namespace.changed(&other).iter().map(|key| key.section_and_name().1).collect();
                if !names.is_empty() {
                    changed.push(format!("namespace {name:?}: {}", names.join(", ")));
                }
            }
        }
    }
    changed.extend(next.keys().map(|name| format!("namespace {name:?}: new")));
    changed
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use fanfare_core::Channel;
    use tempfile::NamedTempFile;

    use super::*;
    use crate::{
        cli::NodeArgs,
        config::{Facts, load},
    };

    /// A configuration file whose text changes.
    struct Node {
        file: NamedTempFile,
        flags: NodeArgs,
        running: Loaded,
    }

    impl Node {
        fn start(text: &str, flags: NodeArgs) -> Self {
            let file = NamedTempFile::new().unwrap();
            fs::write(&file, text).unwrap();
            let running = load(sources(&file, &flags)).unwrap();
            Self { file, flags, running }
        }

        fn reload(&mut self, text: &str) -> Result<(Vec<String>, Vec<&'static str>), NoChange> {
            fs::write(&self.file, text).unwrap();
            let change = self.running.reload(sources(&self.file, &self.flags))?;
            self.running = change.loaded;
            Ok((change.used, change.waiting))
        }
    }

    fn sources(file: &NamedTempFile, flags: &NodeArgs) -> Sources {
        Sources {
            flags: flags.layer(),
            file: Some(file.path().to_owned()),
            environment: vec![("FANFARE_LOG__LEVEL".into(), "warn".into())],
            facts: Facts { cores: 4, descriptors: 20_000, memory: 2 << 30, hostname: "host-1".into() },
        }
    }

    #[test]
    fn a_reload_uses_some_changed_values() {
        let mut node = Node::start("[origins]\nallow = [\"https://a.example\"]\n", NodeArgs::default());
        let (used, waiting) = node
            .reload(
                "listen = [\"127.0.0.1:1\"]\n\n[origins]\nallow = [\n\"https://a.example\"]\n\
                     [drain]\nrate = 7\n[limits]\nmessage_bytes = \"128KiB\"\n",
            )
            .unwrap();
        assert_eq!((used, waiting), (vec!["drain.rate".into()], vec!["listen", "limits.message_bytes"]));
        let Loaded { config, .. } = &node.running;
        assert_eq!((config.drain.rate, config.limits.message_bytes), (7, 64 << 10));
        assert_eq!(
            config.addresses(fanfare_gateway::Role::Clients).0,
            [crate::config::Listen::Localhost(8080)]
        );
        // A change that waits is named again, until it is undone.
        let (used, waiting) = node.reload("listen = [\"127.0.0.1:1\"]\n").unwrap();
        assert_eq!((used, waiting), (vec!["origins.allow".into(), "drain.rate".into()], vec!["listen"]));
        assert_eq!(node.reload("").unwrap(), (vec![], vec![]));
    }

    #[test]
    fn flags_and_the_environment_beat_the_file() {
        let flags = NodeArgs { node: Some("flag".into()), ..NodeArgs::default() };
        let mut node = Node::start("", flags);
        let (used, waiting) = node.reload("[node]\nname = \"file\"\n[log]\nlevel = \"trace\"\n").unwrap();
        assert_eq!((used, waiting), (vec![], vec![]));
        assert_eq!(node.running.config.node, "flag");
    }

    #[test]
    fn a_default_follows_the_running_values() {
        let mut node = Node::start("", NodeArgs::default());
        let before = node.running.config.limits.clone();
        let (used, waiting) =
            node.reload("limits.message_bytes = \"16MiB\"\ndrain.timeout = \"6s\"\n").unwrap();
        assert_eq!(used, ["drain.timeout", "drain.grace"]);
        assert_eq!((waiting, &node.running.config.limits), (vec!["limits.message_bytes"], &before));
        assert_eq!(node.running.config.drain.grace, Duration::from_secs(1));
    }

    #[test]
    fn with_a_mistake_nothing_changes() {
        let mut node = Node::start("", NodeArgs::default());
        let error = node.reload("drain.rate = 7\n[limits]\nhandshake = 5\nmesage_bytes = 1\n").unwrap_err();
        let keys: Vec<_> = error.mistakes().iter().map(|mistake| mistake.key.as_str()).collect();
        assert_eq!(keys, ["limits.handshake", "limits.mesage_bytes"]);
        assert_eq!(node.running.config.drain.rate, 200);
    }

    #[test]
    fn a_change_that_needs_a_restart_waits() {
        let secret = "[auth]\nhmac_secrets = [\"0123456789abcdef0123456789abcdef\"]\n";
        let closed = format!(
            "listen = [\"0.0.0.0:1\"]\n{secret}[[namespace]]\nsubscribe = \"token\"\npublish = \"token\"\n"
        );
        let mut node = Node::start(&closed, NodeArgs::default());
        // At the new address everybody may come in, but the node keeps the old one.
        let error = node.reload("listen = [\"127.0.0.1:1\"]\n").unwrap_err();
        assert!(matches!(&error, NoChange::NeedsRestart(_)), "{error}");
        assert_eq!(
            error.mistakes().iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(),
            ["listen"]
        );
        assert!(node.running.config.auth.is_some());

        let mut node = Node::start("limits.message_bytes = \"1MiB\"", NodeArgs::default());
        let smaller = "limits.message_bytes = \"16KiB\"\nlimits.outbound_bytes = \"64KiB\"";
        assert!(matches!(node.reload(smaller), Err(NoChange::NeedsRestart(_))));
    }

    #[test]
    fn a_changed_key_file_is_a_change() {
        let public_key = |name| fs::read(crate::config::auth::tests::key_file(name)).unwrap();
        let key = NamedTempFile::new().unwrap();
        fs::write(&key, public_key("test-ed25519")).unwrap();
        let text = format!("[auth]\npublic_keys = [\"{}\"]\n", key.path().display());
        let mut node = Node::start(&text, NodeArgs::default());
        assert_eq!(node.reload(&text).unwrap().0, Vec::<String>::new());
        fs::write(&key, public_key("test-p256")).unwrap();
        assert_eq!(node.reload(&text).unwrap().0, ["auth.public_keys"]);
    }

    #[test]
    fn namespaces_are_compared_by_name() {
        let mut node =
            Node::start("[[namespace]]\nname = \"a\"\n[[namespace]]\nname = \"b\"\n", NodeArgs::default());
        let (used, _) = node
            .reload("[[namespace]]\necho = false\n[[namespace]]\nname = \"b\"\necho = false\npublish = \"server\"\n")
            .unwrap();
        assert_eq!(used, ["namespace \"a\": gone", "namespace \"b\": publish, echo", "namespace \"\": new"]);
        assert!(!node.running.config.namespaces.of(&Channel::new("b:1").unwrap()).echo);
    }
}
