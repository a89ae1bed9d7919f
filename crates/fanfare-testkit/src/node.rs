//! A node in the test's own process: all of it, from its listener to its broker.

use std::ops::Deref;

use fanfare::{Node, config::Config, node::Addresses};

use crate::{Endpoint, within};

/// A node at work; see [`Setup`](crate::Setup).
pub struct TestNode {
    node: Node,
    endpoint: Endpoint,
}

impl TestNode {
    /// Starts it on the current runtime. Its broker may still be on the way.
    ///
    /// # Panics
    /// Where it cannot start.
    #[must_use]
    pub fn start(config: Config) -> Self {
        let node = match Node::start(config) {
            Ok(node) => node,
            Err(error) => panic!("the node does not start: {error}"),
        };
        let Some(&address) = node.addresses().clients.first() else { panic!("the node listens nowhere") };
        Self { node, endpoint: Endpoint::new(address) }
    }

    /// Where it listens, and for what.
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
