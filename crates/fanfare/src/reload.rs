//! SIGHUP: the configuration is read again, and what may change while a node runs is changed. Files of certificates and
//! keys are read again when they change, too.
//!
//! Invariants
//! - All of a new configuration is used, as far as it may change, or nothing of it.
//! - A value never stands in the log, only its key.

pub mod metrics;

use std::time::SystemTime;

use crate::{
    config::{
        Loaded, Mistakes, Sources,
        reload::{Change, NoChange},
        tls,
    },
    node::Node,
    telemetry::Telemetry,
    tls::Watch,
};

/// Reads the configuration of a node again.
#[derive(Debug)]
pub struct Reloader {
    /// As at the start: the environment and the flags of a process do not change.
    sources: Sources,
    running: Loaded,
    telemetry: Telemetry,
    /// The files of certificates and keys.
    files: Watch,
}

impl Reloader {
    /// For a node that was started with what these sources said.
    #[must_use]
    pub fn new(sources: Sources, running: Loaded, telemetry: Telemetry) -> Self {
        warn_of(&running);
        let files = Watch::new(running.tls_contents());
        Self { sources, running, telemetry, files }
    }

    /// Reads it, changes what may be changed, and says in the log what that was, or what is wrong. Reads files, and
    /// waits for them: not to be called by a worker of the runtime. Whether it is used: `false` where it has mistakes.
    pub fn reload(&mut self, node: &Node) -> bool {
        let change = self.running.reload(self.sources.clone());
        let is_used = change.is_ok();
        match change {
            Ok(change) => self.change(node, change),
            Err(error) => {
                log_mistakes(&error);
                node.reloads.failed();
            }
        }
        is_used
    }

    /// Looks whether the files of certificates and keys have changed, and uses what is in them from now on. Reads files
    /// too.
    pub fn look_at_files(&mut self, node: &Node) {
        if !self.files.look(self.running.tls_contents()) {
            return;
        }
        match self.running.reread_tls() {
            Ok(loaded) => {
                if node.tls.reload(&loaded.config) {
                    tracing::info!("certificates reloaded: who connects from now on gets the new ones");
                    warn_of(&loaded);
                }
                self.running = loaded;
                node.tls.judged(true);
            }
            Err(mistakes) => {
                log_each(&mistakes);
                tracing::error!(
                    mistakes = mistakes.iter().count(),
                    "certificates not reloaded: their files have changed and cannot be used; the old ones are kept"
                );
                node.tls.judged(false);
            }
        }
    }

    fn change(&mut self, node: &Node, change: Change) {
        let Change { loaded, used, waiting } = change;
        let [before, level] = [&self.running, &loaded].map(|loaded| loaded.config.log.level);
        // What is said of it is said at the chattier of both levels.
        self.telemetry.level.set(before.max(level));
        self.telemetry.rates.set(loaded.config.log.lines_per_second);
        node.reload(&loaded.config);
        if used.is_empty() {
            tracing::info!("configuration reloaded: nothing has changed");
        } else {
            tracing::info!(changed = used.join(", "), "configuration reloaded");
        }
        if !waiting.is_empty() {
            tracing::warn!(
                keys = waiting.join(", "),
                "changed in the configuration, and used after a restart only"
            );
        }
        self.telemetry.level.set(level);
        warn_of(&loaded);
        self.running = loaded;
        self.files.again();
        node.reloads.succeeded();
    }
}

/// Says what is valid and yet nobody can have meant.
fn warn_of(loaded: &Loaded) {
    for warning in tls::warnings(&loaded.config, SystemTime::now()) {
        tracing::warn!("{warning}");
    }
}

fn log_mistakes(error: &NoChange) {
    log_each(error.mistakes());
    let mistakes = error.mistakes().iter().count();
    match error {
        NoChange::Mistakes(_) => {
            tracing::error!(mistakes, "configuration not reloaded: it has mistakes, and nothing was changed");
        }
        NoChange::NeedsRestart(_) => tracing::error!(
            mistakes,
            "configuration not reloaded: it is valid, but not together with the values that are kept until a \
             restart; nothing was changed"
        ),
    }
}

fn log_each(mistakes: &Mistakes) {
    for mistake in mistakes.iter() {
        tracing::error!(
            place = %mistake.place,
            key = mistake.key,
            found = mistake.found,
            allowed = mistake.allowed,
            hint = mistake.hint,
            "mistake in the configuration"
        );
    }
}
