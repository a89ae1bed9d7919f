//! The effect of each fault on the stage. A fault undoes itself before it returns, and lets the checker measure how long
//! clients need until they are whole: from its end, or from its beginning where Redis itself mends it.

use std::time::Duration;

use fanfare_swarm::{
    client::{Connection, Target},
    verify::history::Check,
};
use redis::Cmd;
use tokio::time::sleep;

use super::{plan::Fault, replicated::or_panic, stage::Stage};
use crate::{Direction, Proxy, RedisServer, assert_eventually};

/// The output limit of a subscriber in Redis, and the default.
const LIMIT: &str = "pubsub 1mb 1mb 1";
const NO_LIMIT: &str = "pubsub 32mb 8mb 60";

/// Publishes more than the limit, while Redis writes to nobody.
const FLOOD: &str = "for i = 1, 40 do redis.call('PUBLISH', KEYS[1], ARGV[1]) end";

/// The time in which bytes come one at a time before their connection is cut.
const BY_THE_BYTE: Duration = Duration::from_millis(100);

impl Stage {
    /// Suffers a fault. Returns once it is over.
    pub(super) async fn suffer(&self, fault: &Fault, check: &Check) {
        match *fault {
            Fault::KillNode { node, gone } => self.kill(node, gone).await,
            Fault::FreezeNode { node, lasts } => self.freeze(node, lasts).await,
            Fault::FreezeRedis { server, lasts } => self.freeze_redis(server, lasts).await,
            Fault::KillClients { server, kind } => {
                let mut kill = redis::cmd("CLIENT");
                kill.arg("KILL").arg("TYPE").arg(kind).arg("SKIPME").arg("yes");
                run(&*self.servers.master(server).await, &kill).await;
            }
            Fault::OutputLimit { node, server } => self.output_limit(node, server).await,
            Fault::Cut { node, server } => self.cut(node, server).await,
            Fault::Stall { node, server, direction, subscribers, lasts, cut } => {
                self.stall(self.way(node, server), direction, subscribers, lasts, cut).await;
            }
            Fault::Drop { percent } => check.drop_clients(f64::from(percent) / 100.0),
            Fault::Rolling => self.restart_all().await,
            Fault::Wipe { server, gone } => self.wipe(server, gone).await,
            Fault::KillMaster { .. }
            | Fault::FailOver { .. }
            | Fault::Isolate { .. }
            | Fault::MoveSlots { .. } => return self.suffer_switch(fault, check).await,
        }
        check.watch();
        self.servers.are_replicated().await;
    }

    async fn kill(&self, node: usize, gone: Duration) {
        let Some(node) = self.nodes.get(node) else { return };
        let mut node = node.lock().await;
        node.process.kill().await;
        sleep(gone).await;
        node.start_again().await;
    }

    async fn freeze(&self, node: usize, lasts: Duration) {
        let Some(node) = self.nodes.get(node) else { return };
        let node = node.lock().await;
        node.process.freeze();
        sleep(lasts).await;
        node.process.thaw();
    }

    async fn freeze_redis(&self, server: usize, lasts: Duration) {
        let redis = self.servers.master(server).await;
        assert!(redis.stop_process().is_ok(), "Redis runs");
        sleep(lasts).await;
        assert!(redis.continue_process().is_ok(), "Redis runs");
    }

    /// A client of the node is in a channel of its own, into which more is published than the limit allows.
    async fn output_limit(&self, node: usize, server: usize) {
        let Some(endpoint) = self.endpoint(node).await else { return };
        let mut ballast = format!("ballast-{node}");
        while self.server_of(&ballast).await != server {
            ballast.push('x');
        }
        let Ok(target) = Target::parse(&endpoint.ws(&format!("/ws/{ballast}")), "/") else { return };
        // A node that lets nobody in has no subscription to lose.
        let Ok(_client) = Connection::open(&target).await else { return };
        let redis = self.servers.master(server).await;
        let limit = |limit| {
            let mut set = redis::cmd("CONFIG");
            set.arg("SET").arg("client-output-buffer-limit").arg(limit);
            set
        };
        run(&redis, &limit(LIMIT)).await;
        let mut flood = redis::cmd("EVAL");
        flood.arg(FLOOD).arg(1).arg(format!("fanfare:{ballast}")).arg(vec![b'x'; 60_000]);
        run(&redis, &flood).await;
        run(&redis, &limit(NO_LIMIT)).await;
    }

    async fn cut(&self, node: usize, server: usize) {
        let chop = |chopped| {
            for proxy in self.way(node, server) {
                proxy.chop(Direction::ToServer, chopped);
                proxy.chop(Direction::ToClient, chopped);
            }
        };
        chop(true);
        sleep(BY_THE_BYTE).await;
        self.way(node, server).iter().for_each(Proxy::cut);
        chop(false);
    }

    async fn stall(
        &self,
        way: &[Proxy],
        direction: Direction,
        subscribers: bool,
        lasts: Duration,
        cut: bool,
    ) {
        for proxy in way {
            if subscribers {
                proxy.stall_subscribers(direction);
            } else {
                proxy.stall(direction);
            }
        }
        sleep(lasts).await;
        for proxy in way {
            if cut {
                proxy.cut();
            }
            proxy.resume(direction);
        }
    }

    async fn restart_all(&self) {
        for node in &self.nodes {
            let mut node = node.lock().await;
            node.process.terminate();
            node.process.wait().await;
            node.start_again().await;
            node.process.is_ready().await;
        }
    }

    async fn wipe(&self, server: usize, gone: Duration) {
        let mut redis = self.servers.master(server).await;
        or_panic(redis.kill().await);
        sleep(gone).await;
        or_panic(redis.restart().await);
    }
}

/// Runs a command until Redis takes it: another fault may cut the connection.
async fn run(redis: &RedisServer, command: &Cmd) {
    assert_eventually!(redis.run::<redis::Value>(command).await.is_ok(), "Redis takes a command");
}
