//! The memory broker passes the suite.

use fanfare_broker::BrokerConfig;
use fanfare_broker_suite::Bus;

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

fanfare_broker_suite::broker_suite!(Memory);
