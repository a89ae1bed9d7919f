//! Finds the server of a place.

use std::sync::Arc;

use super::{
    address::RedisConfig,
    error::ConnectionError,
    place::{Endpoint, Place},
    sentinel::{Master, ToSentinels},
};
use crate::redis::{cluster::topology::Slot, metrics::RedisMetrics};

/// See the head of this file.
#[derive(Clone)]
pub(crate) enum Finder {
    At(Endpoint),
    By(ToSentinels),
    /// At the node of a Cluster that has this slot.
    Owner(Slot),
}

impl Finder {
    /// For a Redis that is not a Cluster. Connections to its Sentinels have this name.
    pub(crate) fn of(config: &RedisConfig, name: &str, metrics: &Arc<RedisMetrics>) -> Option<Self> {
        match &config.place {
            Place::Server(endpoint) => Some(Self::At(endpoint.clone())),
            Place::Sentinels(sentinels) => Some(Self::By(ToSentinels {
                sentinels: sentinels.clone(),
                tls: config.tls.clone(),
                client_name: name.to_owned(),
                metrics: metrics.clone(),
            })),
            Place::Cluster(_) => None,
        }
    }

    /// Where the server is now, and the epoch of the Sentinels' configuration. A config epoch of a
    /// Cluster is not such an epoch: it rises with the failovers of other slots too.
    ///
    /// # Errors
    /// Neither a Sentinel nor a node of the Cluster says it.
    pub(crate) async fn find(&self) -> Result<(Endpoint, Option<u64>), ConnectionError> {
        match self {
            Self::At(endpoint) => Ok((endpoint.clone(), None)),
            Self::By(sentinels) => {
                sentinels.master().await.map(|Master { epoch, endpoint }| (endpoint, Some(epoch)))
            }
            Self::Owner(slot) => Ok((slot.owner().await?, None)),
        }
    }

    /// The same, for a connection that is opened often: the last answer of the Cluster is enough.
    ///
    /// # Errors
    /// Those of [`Finder::find`].
    pub(crate) async fn known(&self) -> Result<Endpoint, ConnectionError> {
        match self {
            Self::Owner(slot) => slot.known_owner().await,
            other => other.find().await.map(|(endpoint, _)| endpoint),
        }
    }

    /// Whether the server must be a master, and can be another one at any time.
    pub(crate) fn follows(&self) -> bool {
        !matches!(self, Self::At(_))
    }
}
