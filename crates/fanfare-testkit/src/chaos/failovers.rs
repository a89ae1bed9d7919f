//! Faults after which a replica takes the place of the master. Each ends once the old master follows the new one.

use std::time::Duration;

use fanfare_swarm::verify::history::Check;
use tokio::time::sleep;

use super::{servers::or_panic, stage::Stage};
use crate::Direction;

impl Stage {
    pub(super) async fn kill_master(&self, gone: Duration, check: &Check) {
        let mut servers = self.servers.with_sentinels().await;
        let master = or_panic(servers.master().await);
        let Some(server) = servers.servers.get_mut(master) else { return };
        or_panic(server.kill().await);
        check.watch();
        // A master that comes back sooner, empty, would stay the master, and all would be lost.
        or_panic(servers.switched_from(master).await);
        sleep(gone).await;
        if let Some(server) = servers.servers.get_mut(master) {
            or_panic(server.restart().await);
        }
        or_panic(servers.is_replicated().await);
    }

    pub(super) async fn fail_over(&self, check: &Check) {
        let servers = self.servers.with_sentinels().await;
        let master = or_panic(servers.master().await);
        or_panic(servers.fail_over().await);
        check.watch();
        or_panic(servers.switched_from(master).await);
        or_panic(servers.is_replicated().await);
    }

    /// Only this node does not hear of the new master: it and the old one are on the same side of a partition.
    pub(super) async fn isolate(&self, node: usize, lasts: Duration, check: &Check) {
        let servers = self.servers.with_sentinels().await;
        let master = or_panic(servers.master().await);
        for proxy in self.way(node, 0) {
            proxy.stall(Direction::ToServer);
            proxy.stall(Direction::ToClient);
        }
        or_panic(servers.isolate(master).await);
        or_panic(servers.switched_from(master).await);
        sleep(lasts).await;
        or_panic(servers.rejoin(master).await);
        for proxy in self.way(node, 0) {
            proxy.resume(Direction::ToServer);
            proxy.resume(Direction::ToClient);
        }
        check.watch();
        or_panic(servers.is_replicated().await);
    }
}
