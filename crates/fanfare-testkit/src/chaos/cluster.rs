//! A Redis Cluster whose masters can be cut off: from the others by TLS, which only the master that is cut off speaks on
//! the bus, and from replicas by a user of their own.

use std::{collections::HashMap, time::Duration};

use fanfare_broker_suite::ClusterServers;
use redis::{Client, Cmd, FromRedisValue, RedisResult, Value};
use tokio::time::sleep;

use super::{
    replicated::{Replicated, or_panic, some},
    slots::{SLOTS, move_slots},
};
use crate::{Authority, RedisServer, Validity};

/// The time without an answer after which a master takes others for dead, in milliseconds. A master that is cut off takes
/// nobody for dead: it would take no writes.
const TIMEOUT: &str = "1000";
const FOREVER: &str = "600000";

/// The most attempts to move slots.
const MOVES: usize = 5;

/// The rules of the replicas' user.
const REPLICA: [&str; 7] = ["--user", "replica", "on", ">secret", "~*", "&*", "+@all"];

/// The processes.
pub(super) struct Cluster {
    pub(super) servers: ClusterServers,
    _authority: Authority,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.servers.fmt(out)
    }
}

impl Cluster {
    pub(super) async fn start() -> Self {
        let authority = Authority::new();
        let issued = authority.issue("bus", &["127.0.0.1"], Validity::Current);
        let [cert, key, ca] =
            [&issued.cert, &issued.key, &authority.ca()].map(|path| path.display().to_string());
        let others = [
            ("--masteruser", "replica"),
            ("--masterauth", "secret"),
            ("--enable-debug-command", "local"),
            // As docs/redis.md advises: a master that is gone takes its own slots along only.
            ("--cluster-require-full-coverage", "no"),
            ("--tls-cert-file", &cert),
            ("--tls-key-file", &key),
            ("--tls-ca-cert-file", &ca),
        ];
        let others = others.into_iter().flat_map(|(name, value)| [name, value]);
        let arguments: Vec<_> = REPLICA.into_iter().chain(others).collect();
        let servers = or_panic(ClusterServers::start_with(&arguments).await);
        Self { servers, _authority: authority }
    }

    /// Moves a quarter of all slots from this master to another. Begins anew where a replica took the place of one of them
    /// meanwhile: on a busy machine a master may not answer for as long as [`TIMEOUT`].
    pub(super) async fn move_a_quarter(&self, number: usize) {
        for _ in 1..MOVES {
            if self.try_to_move(number).await.is_ok() {
                return;
            }
            self.settle().await;
        }
        or_panic(self.try_to_move(number).await);
    }

    async fn try_to_move(&self, number: usize) -> RedisResult<()> {
        let from = self.master_of(number).await;
        let to = self.master_of((number + 1) % 3).await;
        let [from, to] = [from, to].map(|place| some(self.servers.servers.get(place)));
        move_slots(from, to, usize::from(SLOTS) / 4).await
    }

    async fn run<T: FromRedisValue>(&self, place: usize, command: &Cmd) -> T {
        or_panic(some(self.servers.servers.get(place)).run(command).await)
    }

    async fn set(&self, place: usize, name: &str, value: &str) {
        self.run::<()>(place, redis::cmd("CONFIG").arg("SET").arg(name).arg(value)).await;
    }

    async fn replicas_may_come(&self, place: usize, rule: &str) {
        self.run::<()>(place, redis::cmd("ACL").arg("SETUSER").arg("replica").arg(rule)).await;
    }
}

impl Replicated for Cluster {
    fn server(&mut self, place: usize) -> &mut RedisServer {
        some(self.servers.servers.get_mut(place))
    }

    async fn master_of(&self, number: usize) -> usize {
        or_panic(self.servers.master_of(slot(number)).await)
    }

    async fn switched_from(&self, number: usize, before: usize) {
        let mut others = self.servers.servers.iter().enumerate().filter(|(place, _)| *place != before);
        let Some((_, other)) = others.next() else { return };
        let before = some(self.servers.servers.get(before)).port();
        // The old master may not know.
        while or_panic(super::slots::owner(other, slot(number)).await) == Some(before) {
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn fail_over(&self, master: usize) {
        or_panic(self.servers.fail_over(master).await);
    }

    async fn isolate(&self, master: usize) {
        self.set(master, "cluster-node-timeout", FOREVER).await;
        self.replicas_may_come(master, "off").await;
        self.run::<u64>(master, redis::cmd("CLIENT").arg("KILL").arg("USER").arg("replica")).await;
        self.set(master, "tls-cluster", "yes").await;
        or_panic(cut_links(&some(self.servers.servers.get(master)).url()).await);
    }

    async fn rejoin(&self, master: usize) {
        self.set(master, "tls-cluster", "no").await;
        self.replicas_may_come(master, "on").await;
        self.set(master, "cluster-node-timeout", TIMEOUT).await;
    }

    async fn settle(&self) {
        or_panic(self.servers.is_whole().await);
    }
}

/// Ends the connections of a server to the others. Redis 7.0 crashes where one is to be ended that is not there: they are
/// ended right behind their list.
async fn cut_links(url: &str) -> RedisResult<()> {
    let mut connection = Client::open(url)?.get_multiplexed_async_connection().await?;
    let links: Vec<HashMap<String, Value>> =
        redis::cmd("CLUSTER").arg("LINKS").query_async(&mut connection).await?;
    let mut kills = redis::pipe();
    for link in links {
        let text = |field| redis::from_redis_value::<String>(link.get(field).cloned().unwrap_or(Value::Nil));
        kills.cmd("DEBUG").arg("CLUSTERLINK").arg("KILL").arg(text("direction")?).arg(text("node")?).ignore();
    }
    kills.query_async(&mut connection).await
}

/// The middle of the slots that a master had at the start.
fn slot(number: usize) -> u16 {
    u16::try_from(number % 3).unwrap_or(0) * (SLOTS / 3) + SLOTS / 6
}
