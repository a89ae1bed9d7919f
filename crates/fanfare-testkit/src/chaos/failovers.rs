//! Faults after which another server is the master. Each ends once all replicas follow their masters.

use std::time::Duration;

use fanfare_swarm::verify::history::Check;
use tokio::time::sleep;

use super::{
    plan::Fault,
    replicated::{Replicated, or_panic},
    servers::Servers,
    stage::Stage,
};
use crate::{Direction, Proxy};

impl Stage {
    /// Suffers such a fault.
    pub(super) async fn suffer_switch(&self, fault: &Fault, check: &Check) {
        match (&self.servers, *fault) {
            (Servers::Sentinel(servers), _) => self.switch(&mut *servers.lock().await, fault, check).await,
            (Servers::Cluster(cluster), Fault::MoveSlots { server }) => {
                cluster.lock().await.move_a_quarter(server).await;
                check.watch();
                cluster.lock().await.settle().await;
            }
            (Servers::Cluster(cluster), _) => self.switch(&mut *cluster.lock().await, fault, check).await,
            (Servers::Several(_), _) => panic!("no server takes the place of another"),
        }
    }

    async fn switch(&self, redis: &mut impl Replicated, fault: &Fault, check: &Check) {
        match *fault {
            Fault::KillMaster { server, gone } => kill(redis, server, gone, check).await,
            Fault::FailOver { server } => {
                let master = redis.master_of(server).await;
                redis.fail_over(master).await;
                redis.switched_from(server, master).await;
                // Until then the old master takes messages.
                check.watch();
            }
            Fault::Isolate { server, node, lasts } => {
                isolate(redis, server, self.way(node, 0), lasts, check).await;
            }
            _ => {}
        }
        redis.settle().await;
    }
}

async fn kill(redis: &mut impl Replicated, number: usize, gone: Duration, check: &Check) {
    let master = redis.master_of(number).await;
    or_panic(redis.server(master).kill().await);
    check.watch();
    // A master that comes back sooner, empty, would stay the master, and all would be lost.
    redis.switched_from(number, master).await;
    sleep(gone).await;
    or_panic(redis.server(master).restart().await);
}

/// A node without its way does not hear of the new master: it and the old one are on the same side of a partition.
async fn isolate(redis: &mut impl Replicated, number: usize, way: &[Proxy], lasts: Duration, check: &Check) {
    let master = redis.master_of(number).await;
    for proxy in way {
        proxy.stall(Direction::ToServer);
        proxy.stall(Direction::ToClient);
    }
    redis.isolate(master).await;
    redis.switched_from(number, master).await;
    sleep(lasts).await;
    redis.rejoin(master).await;
    for proxy in way {
        proxy.resume(Direction::ToServer);
        proxy.resume(Direction::ToClient);
    }
    check.watch();
}
