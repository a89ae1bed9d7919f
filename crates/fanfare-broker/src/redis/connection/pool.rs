//! Connections for commands that wait for an answer each.

use std::{sync::Arc, time::Duration};

use deadpool::{
    Runtime,
    managed::{self, Hook, HookError, Metrics, PoolConfig, RecycleError, RecycleResult, Timeouts},
};
use parking_lot::Mutex;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    aio::MultiplexedConnection,
};

use super::{
    address::RedisConfig,
    code::{NotRun, advice, code, lacks_right, says},
    finder::Finder,
    links::Links,
    place::Endpoint,
};

const PATIENCE: Duration = Duration::from_secs(2);

/// Connections to one Redis.
pub(crate) type Pool = managed::Pool<Opener>;

/// A connection of a pool. It goes back when it is dropped.
pub(crate) type PooledConnection = managed::Object<Opener>;

/// Why there is not a connection.
pub(crate) type PoolError = managed::PoolError<OpenError>;

/// Opens connections to where the Redis is at the moment.
pub(crate) struct Opener {
    config: Arc<RedisConfig>,
    finder: Finder,
    /// The client for the place of the last connection.
    client: Mutex<Option<(Endpoint, Client)>>,
}

/// Why a connection was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// No Sentinel, or no node of the Cluster, says where the master is.
    #[error("{0}")]
    NoMaster(String),
}

/// A pool of at most `connections`. Each is opened when it is needed first, and replaced after `used_for`, and when the
/// publisher's is: a new connection shows where the name leads now. The redis crate tries all addresses of a name at
/// once.
pub(crate) fn pool(
    config: &Arc<RedisConfig>,
    finder: Finder,
    links: Arc<Links>,
    connections: usize,
    used_for: Duration,
) -> Result<Pool, String> {
    let opener = Opener { config: config.clone(), finder, client: Mutex::default() };
    if let Finder::At(endpoint) = &opener.finder {
        opener.client(endpoint).map_err(|error| said("HELLO", &error))?;
    }
    let timeouts = Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(PATIENCE) };
    Pool::builder(opener)
        .config(PoolConfig { timeouts, ..PoolConfig::new(connections) })
        .runtime(Runtime::Tokio1)
        .pre_recycle(Hook::sync_fn(move |_, used| {
            let is_old = used.age() > used_for || !links.is_news(used.created);
            if is_old { Err(HookError::message("it is replaced")) } else { Ok(()) }
        }))
        .build()
        .map_err(|error| error.to_string())
}

impl Opener {
    /// The same login and authorities as for the two other connections.
    fn client(&self, at: &Endpoint) -> Result<Client, RedisError> {
        let mut last = self.client.lock();
        if let Some((_, client)) = last.as_ref().filter(|(endpoint, _)| endpoint == at) {
            return Ok(client.clone());
        }
        let client = reach(&self.config, at)?;
        *last = Some((at.clone(), client.clone()));
        Ok(client)
    }
}

impl managed::Manager for Opener {
    type Type = MultiplexedConnection;
    type Error = OpenError;

    async fn create(&self) -> Result<MultiplexedConnection, OpenError> {
        let found = self.finder.known().await.map_err(|error| OpenError::NoMaster(error.to_string()))?;
        let client = self.client(&found)?;
        let patience = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        Ok(client.get_multiplexed_async_connection_with_config(&patience).await?)
    }

    async fn recycle(&self, used: &mut MultiplexedConnection, _: &Metrics) -> RecycleResult<OpenError> {
        redis::cmd("PING").exec_async(used).await.map_err(|error| RecycleError::Backend(error.into()))
    }
}

fn reach(config: &RedisConfig, Endpoint { host, port }: &Endpoint) -> Result<Client, RedisError> {
    let mut login = RedisConnectionInfo::default().set_db(config.database);
    if let Some(username) = &config.username {
        login = login.set_username(username);
    }
    if let Some(password) = &config.password {
        login = login.set_password(password.expose());
    }
    let (host, port) = (host.clone(), *port);
    let Some(tls) = &config.tls else {
        return Client::open(
            ConnectionAddr::Tcp(host, port).into_connection_info()?.set_redis_settings(login),
        );
    };
    let address = ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None };
    let info = address.into_connection_info()?.set_redis_settings(login);
    Client::build_with_tls(info, tls.as_pem())
}

/// The beginning of an error of a Redis that was reached.
pub(crate) const ANSWERS: &str = "Redis answers ";

/// An error of Redis without its sentence, which may quote the refused command.
pub(crate) fn said(what: &str, error: &RedisError) -> String {
    match error.code() {
        Some(code) if code == "NOPERM" || error.detail().is_some_and(|why| lacks_right(why.as_bytes())) => {
            format!("{ANSWERS}NOPERM to {what} (permit the commands and keys in docs/redis.md to this user)")
        }
        Some(code) if NotRun::of(code.as_bytes()).is_some() => {
            format!("{ANSWERS}{code} to {what} ({})", advice(code, ""))
        }
        Some(word) => format!("{ANSWERS}{} to {what}", code(word.as_bytes())),
        None => format!("the connection to Redis failed ({})", error.category()),
    }
}

/// Why there is not a connection.
pub(crate) fn no_connection(error: &PoolError) -> String {
    match error {
        PoolError::Backend(OpenError::Redis(error)) => said(opening(error), error),
        PoolError::Backend(OpenError::NoMaster(why)) => why.clone(),
        PoolError::Timeout(_) => "no connection in time".to_owned(),
        _ => "no connection".to_owned(),
    }
}

/// The command of a new connection that was refused.
fn opening(error: &RedisError) -> &'static str {
    let is_of_database = error.detail().is_some_and(|detail| says(detail.as_bytes(), "DB index"));
    if is_of_database { "SELECT" } else { "HELLO" }
}
