//! TLS on the listeners of a running node: the certificates in use, their expiry, and files that change.
//!
//! Invariants
//! - A broken file changes nothing: the listener keeps the certificate that it has, and the log says so.
//! - An open connection keeps the certificate that it began with.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fanfare_gateway::{
    Role,
    tls::{Acceptor, Terms},
};
use fanfare_metrics::Registrar;
use parking_lot::Mutex;
use prometheus::{GaugeVec, IntGauge, Opts, Registry};

use crate::config::{Config, tls::Contents};

/// How often the files are read. A change is used when a second read finds it unchanged: a key is written a moment
/// after its certificate.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The roles whose addresses may speak TLS.
const WITH_TLS: [Role; 2] = [Role::Clients, Role::Api];

/// The TLS of a node's listeners.
pub(crate) struct Tls {
    listeners: [RoleTls; WITH_TLS.len()],
    expiry: GaugeVec,
    is_good: IntGauge,
}

/// The TLS of one role's addresses.
struct RoleTls {
    role: Role,
    acceptor: Arc<Acceptor>,
    /// The terms that the acceptor has.
    used: Mutex<Option<Terms>>,
}

impl Tls {
    /// The TLS of a node that begins with this configuration.
    ///
    /// # Errors
    /// A metric's name is registered already.
    pub(crate) fn register(registry: &Registry, config: &Config) -> prometheus::Result<Self> {
        let new = Registrar(registry);
        let expiry = Opts::new(
            "fanfare_tls_certificate_expiry_timestamp_seconds",
            "When the certificate of these listeners, or one that leads to its root, expires, in Unix time; 0 \
             where they speak no TLS",
        );
        let expiry = new.register(GaugeVec::new(expiry, &["listener"])?)?;
        let is_good = new.gauge(
            "fanfare_tls_last_reload_successful",
            "Whether the files of certificates and keys could be used when they changed last",
        )?;
        is_good.set(1);
        let listener = |role| RoleTls { role, acceptor: Arc::default(), used: Mutex::default() };
        let tls = Self { listeners: WITH_TLS.map(listener), expiry, is_good };
        tls.reload(config);
        Ok(tls)
    }

    /// TLS or plain HTTP for the addresses of a role.
    pub(crate) fn acceptor(&self, role: Role) -> Arc<Acceptor> {
        let found = self.listeners.iter().find(|listener| listener.role == role);
        found.map(|listener| listener.acceptor.clone()).unwrap_or_default()
    }

    /// Uses the certificates of this configuration for new connections. Whether one of them is new.
    pub(crate) fn reload(&self, config: &Config) -> bool {
        let mut is_new = false;
        for RoleTls { role, acceptor, used } in &self.listeners {
            let configured = config.listeners.iter().find(|listener| listener.role == *role);
            let terms = configured.and_then(|listener| listener.tls.as_ref());
            let ends = terms.and_then(Terms::expiry).map(|expiry| seconds(expiry.ends));
            self.expiry.with_label_values(&[role.name()]).set(ends.unwrap_or_default());
            let mut used = used.lock();
            if used.as_ref() == terms {
                continue;
            }
            match terms.map(Terms::config).transpose() {
                Ok(config) => {
                    acceptor.replace(config);
                    *used = terms.cloned();
                    is_new = true;
                }
                // The terms were tried when the configuration was read.
                Err(error) => tracing::error!(listener = role.name(), %error, "certificate not used"),
            }
        }
        is_new
    }

    /// Notes whether the files could be used when they changed last.
    pub(crate) fn judged(&self, is_good: bool) {
        self.is_good.set(is_good.into());
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Detects files that have changed.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The contents that were judged last; `None` where they are to be judged again.
    judged: Option<Contents>,
    seen: Contents,
}

impl Watch {
    /// A watch of files whose contents are in use.
    pub(crate) fn new(now: Contents) -> Self {
        Self { judged: Some(now.clone()), seen: now }
    }

    /// Whether these contents are to be judged: they differ from those judged last, and did not change since the last
    /// look.
    pub(crate) fn look(&mut self, now: Contents) -> bool {
        let is_still = self.seen == now;
        self.seen = now;
        let is_due = is_still && self.judged.as_ref() != Some(&self.seen);
        if is_due {
            self.judged = Some(self.seen.clone());
        }
        is_due
    }

    /// Judges the files again: the configuration may name others now.
    pub(crate) fn again(&mut self) {
        self.judged = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_judged_once_and_settled() {
        let content = |text: &str| vec![Some(text.as_bytes().to_vec()), None];
        let mut watch = Watch::new(content("a"));
        assert!(!watch.look(content("a")));
        assert!(!watch.look(content("b")));
        assert!(!watch.look(content("c")), "it is being written");
        assert!(watch.look(content("c")));
        assert!(!watch.look(content("c")));
        watch.again();
        assert!(watch.look(content("c")));
    }
}
