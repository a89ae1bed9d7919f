//! A master with two replicas and three Sentinels for one test, all of them processes on free ports. Replicas and nodes
//! have users of their own. So a test can cut replicas and Sentinels off from a server that nodes still reach.

use std::{io, net::Ipv4Addr, process::Stdio, time::Duration};

use redis::{Client, RedisResult};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::redis_server::{RedisServer, RedisServerError, answers, free_port};

/// The name of the master.
const MASTER: &str = "main";
/// After how long without an answer a Sentinel takes a server for dead.
const DOWN_AFTER: Duration = Duration::from_secs(1);
/// The time between two looks at the Sentinels, and their number.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOK_TIMES: usize = 1200;

/// The users of replicas and nodes, and their password. Sentinels and tests are the default user.
const REPLICA: &str = "replica";
const NODE: &str = "node";
const PASSWORD: &str = "secret";

/// The arguments of each server.
const ARGUMENTS: [&str; 20] = [
    "--user",
    REPLICA,
    "on",
    ">secret",
    "~*",
    "&*",
    "+@all", //
    "--user",
    NODE,
    "on",
    ">secret",
    "~*",
    "&*",
    "+@all", //
    "--masteruser",
    REPLICA,
    "--masterauth",
    PASSWORD,
    "--repl-diskless-sync-delay",
    "0",
];

/// See the head of this file.
#[derive(Debug)]
pub struct SentinelServers {
    /// The first was the master at the start.
    pub servers: Vec<RedisServer>,
    sentinels: Vec<(u16, Child)>,
    _folder: TempDir,
}

impl SentinelServers {
    /// Starts all of them, and returns once they answer. They may not know one another yet.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn start() -> Result<Self, RedisServerError> {
        let master = RedisServer::start_with(&ARGUMENTS).await?;
        let port = master.port().to_string();
        let replica = [&ARGUMENTS[..], &["--replicaof", "127.0.0.1", &port]].concat();
        let replicas = [RedisServer::start_with(&replica).await?, RedisServer::start_with(&replica).await?];
        let folder = TempDir::new()?;
        let mut sentinels = Vec::new();
        for number in 0..3 {
            sentinels.push(sentinel(&folder, number, master.port()).await?);
        }
        Ok(Self { servers: [master].into_iter().chain(replicas).collect(), sentinels, _folder: folder })
    }

    /// `redis+sentinel://node:secret@127.0.0.1:port,127.0.0.1:port,127.0.0.1:port/main`
    #[must_use]
    pub fn url(&self) -> String {
        Self::url_of(self.ports().map(|port| format!("127.0.0.1:{port}")))
    }

    /// The same with other addresses, which lead to the Sentinels.
    #[must_use]
    pub fn url_of(sentinels: impl Iterator<Item = String>) -> String {
        format!("redis+sentinel://{NODE}:{PASSWORD}@{}/{MASTER}", sentinels.collect::<Vec<_>>().join(","))
    }

    /// The ports of the Sentinels.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.sentinels.iter().map(|(port, _)| *port)
    }

    /// Cuts replicas off from a server.
    ///
    /// # Errors
    /// The server does not take the commands.
    pub async fn cut_replicas(&self, server: usize) -> RedisResult<()> {
        self.permit(server, REPLICA, "off").await?;
        let Some(server) = self.servers.get(server) else { return Ok(()) };
        server.run::<u64>(redis::cmd("CLIENT").arg("KILL").arg("USER").arg(REPLICA)).await.map(|_| ())
    }

    /// Cuts replicas and Sentinels off from a server, which nodes still reach. No Sentinel gets an answer to its PING.
    ///
    /// # Errors
    /// The server does not take the commands.
    pub async fn isolate(&self, server: usize) -> RedisResult<()> {
        self.cut_replicas(server).await?;
        self.permit(server, "default", "-ping").await
    }

    /// Lets replicas and Sentinels reach a server again.
    ///
    /// # Errors
    /// The server does not take the commands.
    pub async fn rejoin(&self, server: usize) -> RedisResult<()> {
        self.permit(server, "default", "+ping").await?;
        self.permit(server, REPLICA, "on").await
    }

    async fn permit(&self, server: usize, user: &str, rule: &str) -> RedisResult<()> {
        let Some(server) = self.servers.get(server) else { return Ok(()) };
        server.run(redis::cmd("ACL").arg("SETUSER").arg(user).arg(rule)).await
    }

    /// Waits until both replicas follow the master.
    ///
    /// # Errors
    /// They do not within a minute.
    pub async fn is_replicated(&self) -> io::Result<()> {
        for _ in 0..LOOK_TIMES {
            if self.replicas().await.is_ok_and(|replicas| replicas == 2) {
                return self.is_whole().await;
            }
            sleep(LOOK_EVERY).await;
        }
        Err(io::Error::other("the replicas do not follow the master"))
    }

    /// The number of replicas that have all of the master.
    async fn replicas(&self) -> io::Result<usize> {
        let master = self.servers.get(self.master().await?).ok_or(io::ErrorKind::NotFound)?;
        let info =
            master.run::<String>(redis::cmd("INFO").arg("replication")).await.map_err(io::Error::other)?;
        Ok(info.matches("state=online").count())
    }

    /// Waits until the Sentinels know one another and both replicas: before that they cannot fail over.
    ///
    /// # Errors
    /// They do not within a minute.
    pub async fn is_whole(&self) -> io::Result<()> {
        for (port, _) in &self.sentinels {
            self.until(*port, |field| field("num-slaves") == "2" && field("num-other-sentinels") == "2")
                .await?;
        }
        Ok(())
    }

    /// The place of the master among the servers, as the first Sentinel says.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn master(&self) -> io::Result<usize> {
        let port = self.ask(self.first(), |field| field("port")).await.map_err(io::Error::other)?;
        let found = self.servers.iter().position(|server| server.port().to_string() == port);
        found.ok_or_else(|| io::Error::other(format!("no server has the port {port}")))
    }

    /// Waits until the first Sentinel says that another server than this one is the master. Its place.
    ///
    /// # Errors
    /// It does not within a minute.
    pub async fn switched_from(&self, before: usize) -> io::Result<usize> {
        let port = self.servers.get(before).map(|server| server.port().to_string()).unwrap_or_default();
        self.until(self.first(), |field| field("port") != port).await?;
        self.master().await
    }

    /// Lets the Sentinels make another server the master (`SENTINEL FAILOVER`), and returns once they begin. Behind
    /// another failover they refuse until a replica follows the new master.
    ///
    /// # Errors
    /// They refuse for a minute.
    pub async fn fail_over(&self) -> RedisResult<()> {
        let mut connection = self.connection(self.first()).await?;
        let mut order = redis::cmd("SENTINEL");
        order.arg("FAILOVER").arg(MASTER);
        for _ in 1..LOOK_TIMES {
            if order.query_async::<()>(&mut connection).await.is_ok() {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        order.query_async(&mut connection).await
    }

    fn first(&self) -> u16 {
        self.sentinels.first().map_or(0, |(port, _)| *port)
    }

    async fn until(&self, port: u16, holds: impl Fn(&dyn Fn(&str) -> String) -> bool) -> io::Result<()> {
        for _ in 0..LOOK_TIMES {
            if self.ask(port, &holds).await.unwrap_or(false) {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        Err(io::Error::other("the Sentinels do not come to the state that the test waits for"))
    }

    /// Asks a Sentinel for the fields of the master.
    async fn ask<T>(&self, port: u16, read: impl Fn(&dyn Fn(&str) -> String) -> T) -> RedisResult<T> {
        let mut connection = self.connection(port).await?;
        let fields: Vec<(String, String)> =
            redis::cmd("SENTINEL").arg("MASTER").arg(MASTER).query_async(&mut connection).await?;
        let field = |name: &str| {
            let found = fields.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        Ok(read(&field))
    }

    async fn connection(&self, port: u16) -> RedisResult<redis::aio::MultiplexedConnection> {
        Client::open(format!("redis://127.0.0.1:{port}"))?.get_multiplexed_async_connection().await
    }
}

/// Starts a Sentinel of the master at this port. Its port.
async fn sentinel(folder: &TempDir, number: usize, master: u16) -> Result<(u16, Child), RedisServerError> {
    let port = free_port()?;
    let [file, log] = ["conf", "log"].map(|end| folder.path().join(format!("sentinel{number}.{end}")));
    let down_after = DOWN_AFTER.as_millis();
    std::fs::write(
        &file,
        format!(
            "port {port}\nbind {}\nlogfile \"{}\"\ndir \"{}\"\n\
             sentinel monitor {MASTER} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {MASTER} {down_after}\n\
             sentinel failover-timeout {MASTER} 3000\nsentinel parallel-syncs {MASTER} 2\n",
            Ipv4Addr::LOCALHOST,
            log.display(),
            folder.path().display(),
        ),
    )?;
    let process = Command::new("redis-server")
        .arg(&file)
        .arg("--sentinel")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    for _ in 0..LOOK_TIMES {
        if answers(port).await {
            return Ok((port, process));
        }
        sleep(LOOK_EVERY).await;
    }
    Err(RedisServerError::Silent(port))
}
