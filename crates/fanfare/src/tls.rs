//! TLS on the node's listeners while it runs: what each speaks, when its certificate expires, and files that change.
//!
//! Invariants
//! - What is broken changes nothing: the listener goes on with the certificate that it has, and says so.
//! - A connection that stands keeps what it began with.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fanfare_gateway::tls::{Acceptor, Terms};
use parking_lot::Mutex;
use prometheus::{GaugeVec, IntGauge, Opts, Registry};

use crate::config::{Config, tls::Contents};

/// How often the files are looked at. A change is used at the second look that finds it: who writes a certificate
/// writes its key a moment later.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What the lists of addresses are called in metrics.
const LISTENERS: [&str; 2] = ["clients", "api"];

/// What the listeners of a node speak.
pub(crate) struct Tls {
    /// Those of `listen`.
    pub(crate) clients: Arc<Acceptor>,
    /// Those of `api.listen`.
    pub(crate) api: Arc<Acceptor>,
    /// Those of `metrics.listen`: plain HTTP.
    pub(crate) metrics: Arc<Acceptor>,
    used: Mutex<[Option<Terms>; 2]>,
    expiry: GaugeVec,
    is_good: IntGauge,
}

impl Tls {
    /// For a node that begins with this configuration.
    ///
    /// # Errors
    /// A metric's name is registered already.
    pub(crate) fn register(registry: &Registry, config: &Config) -> prometheus::Result<Self> {
        let expiry = GaugeVec::new(
            Opts::new(
                "fanfare_tls_certificate_expiry_timestamp_seconds",
                "When the certificate of these listeners, or one that leads to its root, expires, in Unix time; 0 \
                 where they speak no TLS",
            ),
            &["listener"],
        )?;
        let is_good = IntGauge::new(
            "fanfare_tls_last_reload_successful",
            "Whether the files of certificates and keys could be used when they changed last",
        )?;
        registry.register(Box::new(expiry.clone()))?;
        registry.register(Box::new(is_good.clone()))?;
        is_good.set(1);
        let tls = Self {
            clients: Arc::default(),
            api: Arc::default(),
            metrics: Arc::default(),
            used: Mutex::default(),
            expiry,
            is_good,
        };
        tls.reload(config);
        Ok(tls)
    }

    /// From now on with these certificates, for whoever connects. Whether that is another than before.
    pub(crate) fn reload(&self, config: &Config) -> bool {
        let wanted = [&config.tls, &config.api_tls];
        let mut is_new = false;
        let mut used = self.used.lock();
        let acceptors = [&self.clients, &self.api];
        for (((acceptor, terms), used), name) in
            acceptors.into_iter().zip(wanted).zip(used.iter_mut()).zip(LISTENERS)
        {
            let ends = terms.as_ref().and_then(Terms::expiry).map(|expiry| seconds(expiry.ends));
            self.expiry.with_label_values(&[name]).set(ends.unwrap_or_default());
            if used == terms {
                continue;
            }
            match terms.as_ref().map(Terms::config).transpose() {
                Ok(config) => {
                    acceptor.replace(config);
                    used.clone_from(terms);
                    is_new = true;
                }
                // It was tried when the configuration was read.
                Err(error) => tracing::error!(listener = name, %error, "certificate not used"),
            }
        }
        is_new
    }

    /// Notes whether what changed last could be used.
    pub(crate) fn judged(&self, is_good: bool) {
        self.is_good.set(is_good.into());
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Says when files have changed.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// What was judged last; `None` where that is to be done again.
    judged: Option<Contents>,
    seen: Contents,
}

impl Watch {
    /// Of files that are in use as they are.
    pub(crate) fn new(now: Contents) -> Self {
        Self { judged: Some(now.clone()), seen: now }
    }

    /// Whether the files are to be judged: they are others than those that were, and did not change since the look
    /// before.
    pub(crate) fn look(&mut self, now: Contents) -> bool {
        let is_still = self.seen == now;
        self.seen = now;
        let is_due = is_still && self.judged.as_ref() != Some(&self.seen);
        if is_due {
            self.judged = Some(self.seen.clone());
        }
        is_due
    }

    /// Other files may be meant now: they are judged again.
    pub(crate) fn again(&mut self) {
        self.judged = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_judged_once_and_only_after_it_stood_still() {
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
