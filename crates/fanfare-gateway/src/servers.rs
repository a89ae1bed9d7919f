//! The addresses of the broker's servers, on the listeners that may tell them.

use std::sync::Arc;

use fanfare_core::{Broker, Partition};

use crate::{
    gateway::Gateway,
    roles::{Role, Roles},
};

/// Invariant: it tells nothing on a listener that does not serve `/metrics`.
#[derive(Clone, Copy)]
pub(crate) struct Servers<'a>(Option<&'a Arc<dyn Broker>>);

impl<'a> Servers<'a> {
    /// Those that a listener with these roles tells.
    pub(crate) fn told(gateway: &'a Gateway, roles: Roles) -> Self {
        Self(roles.has(Role::Metrics).then(|| gateway.hub.broker()))
    }

    /// The address of a partition's server.
    pub(crate) fn of(self, partition: Partition) -> Option<String> {
        self.0?.server(partition)
    }

    /// The address of the server of a broker with one partition.
    pub(crate) fn only(self) -> Option<String> {
        self.0.filter(|broker| broker.partitions() == 1)?.server(Partition(0))
    }
}
