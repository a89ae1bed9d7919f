//! A broker under test.

use fanfare_broker::BrokerConfig;

use crate::node::TestNode;

/// A broker under test.
pub trait Bus: Sized + Send {
    /// The number of nodes that can share it.
    const NODES: usize;

    /// Makes one for one test.
    fn start() -> impl Future<Output = Self> + Send;

    /// The configuration of its nodes.
    fn config(&self) -> BrokerConfig;

    /// Starts as many nodes on it as it can have, up to two.
    fn nodes(&self) -> impl Future<Output = Vec<TestNode>> + Send {
        let config = self.config();
        async move {
            let mut nodes = Vec::new();
            for _ in 0..Self::NODES.min(2) {
                let node = TestNode::start(config.clone());
                node.is_up().await;
                nodes.push(node);
            }
            nodes
        }
    }
}
