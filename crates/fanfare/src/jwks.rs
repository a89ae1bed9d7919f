//! The keys at `auth.jwks_url`: fetched at the start, now and then, and when a token names an unknown key.
//!
//! Invariant: no client waits for the server unless its token names an unknown key (`fanfare_auth::token::remote`).

use std::{sync::Arc, time::Duration};

use fanfare_auth::{
    RsaAlgorithm,
    token::{
        TokenKey,
        jwks::keys_of,
        remote::{PAUSE, RemoteKeys},
    },
};
use fanfare_metrics::Registrar;
use prometheus::{IntCounterVec, Registry};
use tokio::time::timeout;

use crate::{
    ask::{Asker, Target},
    config::Auth,
};

/// How old the keys become before they are fetched again: a key that the server withdrew is used for so long.
const REFRESH: Duration = Duration::from_secs(5 * 60);

/// The most time of a fetch. A client that waits for it waits no longer than for its handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// The counter of fetches.
#[derive(Clone)]
pub(crate) struct JwksMetrics(IntCounterVec);

impl JwksMetrics {
    /// Makes and registers it.
    ///
    /// # Errors
    /// The name is registered already.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let fetches = Registrar(registry).counters(
            "fanfare_jwks_fetches_total",
            "Fetches of the keys at auth.jwks_url, by result",
            "result",
            ["success", "failure"],
        )?;
        Ok(Self(fetches))
    }
}

/// The place of the keys.
pub(crate) struct Jwks {
    target: Target,
    /// The algorithm of RSA keys that do not name one.
    rsa: RsaAlgorithm,
    metrics: JwksMetrics,
}

impl Jwks {
    /// The place in this configuration, if any.
    pub(crate) fn of(auth: &Auth, metrics: JwksMetrics) -> Option<Self> {
        Some(Self { target: auth.jwks.clone()?, rsa: auth.rsa, metrics })
    }

    /// Keeps `keys` up to date. Never ends.
    pub(crate) async fn keep(self, keys: Arc<RemoteKeys>) {
        let asker = Asker::new(PATIENCE);
        loop {
            let fetched = self.fetch(&asker).await;
            let result = if fetched.is_ok() { "success" } else { "failure" };
            self.metrics.0.with_label_values(&[result]).inc();
            if let Err(error) = &fetched {
                let url = &self.target;
                tracing::warn!(%url, error, "the keys of tokens could not be fetched: the last ones are used");
            }
            // After a failure a token with an unknown key is refused, but not for longer than this.
            let rest = if fetched.is_ok() { REFRESH } else { PAUSE };
            keys.fetched(fetched.ok());
            drop(timeout(rest, keys.wanted()).await);
        }
    }

    async fn fetch(&self, asker: &Asker) -> Result<Vec<TokenKey>, String> {
        let answer = asker.get(&self.target).await.map_err(|error| {
            // The remedy is one for the command line.
            let sentence = error.to_string();
            sentence.split(';').next().unwrap_or_default().to_owned()
        })?;
        if !answer.status.is_success() {
            return Err(format!("the status is {}", answer.status));
        }
        keys_of(answer.body.as_bytes(), self.rsa).map_err(|error| error.to_string())
    }
}

/// The keys before the first fetch.
pub(crate) fn keys() -> Arc<RemoteKeys> {
    Arc::new(RemoteKeys::new(PAUSE))
}
