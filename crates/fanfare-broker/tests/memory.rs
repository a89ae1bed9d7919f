//! The memory broker passes the suite.

use fanfare_broker::{BrokerConfig, suite::Bus};

struct Memory;

impl Bus for Memory {
    const NODES: usize = 1;

    async fn start() -> Self {
        Self
    }

    fn config(&self) -> BrokerConfig {
        BrokerConfig::Memory
    }
}

fanfare_broker::broker_suite!(Memory);
