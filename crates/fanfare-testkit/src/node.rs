//! A node in the test's own process, from its listener to its broker.

use std::ops::Deref;

use fanfare::{Node, config::Config, node::Addresses};

use crate::{endpoint::Endpoint, timeouts::within};

/// A running node; see [`Setup`](crate::Setup).
pub struct TestNode {
    node: Node,
    endpoint: Endpoint,
}

impl TestNode {
    /// Starts a node on the current runtime. Its broker may not be connected yet.
    ///
    /// # Panics
    /// If it cannot start.
    #[must_use]
    pub fn start(config: Config) -> Self {
        let node = match Node::start(config) {
            Ok(node) => node,
            Err(error) => panic!("the node does not start: {error}"),
        };
        let Some(&address) = node.addresses().clients.first() else {
            panic!("the node has no listener for clients")
        };
        Self { node, endpoint: Endpoint::new(address) }
    }

    /// The addresses of its listeners.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        self.node.addresses()
    }

    /// Ends it as SIGTERM does.
    pub async fn stop(self) {
        within("the node stops", self.node.stop()).await;
    }
}

impl Deref for TestNode {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.endpoint
    }
}
