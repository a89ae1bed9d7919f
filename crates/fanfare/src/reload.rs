//! SIGHUP: reads the configuration again, and changes what may change while a node runs. Files of certificates and keys
//! are also read again when they change.
//!
//! Invariants
//! - All of a new configuration is used, as far as it may change, or nothing of it.
//! - The log has the keys of changed values, and never the values.

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
    /// The sources of the start: the environment and the flags of a process do not change.
    sources: Sources,
    running: Loaded,
    telemetry: Telemetry,
    /// The files of certificates and keys.
    files: Watch,
}

impl Reloader {
    /// The reloader of a node that was started with these sources.
    #[must_use]
    pub fn new(sources: Sources, running: Loaded, telemetry: Telemetry) -> Self {
        warn_of(&running);
        let files = Watch::new(running.tls_contents());
        Self { sources, running, telemetry, files }
    }

    /// Reads the configuration, changes what may change, and logs the changes or the mistakes. Returns whether it is
    /// used. It waits for files, so a worker of the runtime must not call it.
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

    /// Uses the files of certificates and keys if they have changed. It waits for files too.
    pub fn look_at_files(&mut self, node: &Node) {
        if !self.files.look(self.running.tls_contents()) {
            return;
        }
        match self.running.reread_tls() {
            Ok(loaded) => {
                if node.tls.reload(&loaded.config) {
                    tracing::info!("certificates reloaded: connections from now on get the new ones");
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
        // The change is logged at the more verbose of both levels.
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

/// Logs the warnings about a valid configuration.
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
