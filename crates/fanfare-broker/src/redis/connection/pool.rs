//! Connections for commands that wait for an answer each.

use std::{sync::Arc, time::Duration};

use deadpool_redis::{Hook, HookError, Manager, Pool, PoolConfig, PoolError, Runtime, Timeouts};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    RedisError,
};

use super::{
    address::RedisConfig,
    code::{lacks_right, says},
    links::Links,
};

const PATIENCE: Duration = Duration::from_secs(2);

/// A pool of at most `connections`. Each is opened when it is needed first, and replaced after `used_for`, and when the
/// publisher's is: a new connection shows where the name leads now. The redis crate tries all addresses of a name at
/// once.
pub(crate) fn pool(
    config: &RedisConfig,
    links: Arc<Links>,
    connections: usize,
    used_for: Duration,
) -> Result<Pool, String> {
    let patience = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let manager = reach(config).and_then(|info| Manager::new_with_config(info, patience));
    let timeouts = Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(PATIENCE) };
    Pool::builder(manager.map_err(|error| said("HELLO", &error))?)
        .config(PoolConfig { timeouts, ..PoolConfig::new(connections) })
        .runtime(Runtime::Tokio1)
        .pre_recycle(Hook::sync_fn(move |_, used| {
            let is_old = used.age() > used_for || !links.is_news(used.created);
            if is_old { Err(HookError::message("it is replaced")) } else { Ok(()) }
        }))
        .build()
        .map_err(|error| error.to_string())
}

/// The same server, login and authorities as for the two other connections.
fn reach(config: &RedisConfig) -> Result<ConnectionInfo, RedisError> {
    let mut login = RedisConnectionInfo::default().set_db(config.database);
    if let Some(username) = &config.username {
        login = login.set_username(username);
    }
    if let Some(password) = &config.password {
        login = login.set_password(password.expose());
    }
    let (host, port) = (config.host.clone(), config.port);
    let Some(tls) = &config.tls else {
        return Ok(ConnectionAddr::Tcp(host, port).into_connection_info()?.set_redis_settings(login));
    };
    let address = ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None };
    let info = address.into_connection_info()?.set_redis_settings(login);
    Ok(Client::build_with_tls(info, tls.as_pem())?.get_connection_info().clone())
}

/// The beginning of an error of a Redis that was reached.
pub(crate) const ANSWERS: &str = "Redis answers ";

/// An error of Redis without its sentence, which may quote the refused command.
pub(crate) fn said(what: &str, error: &RedisError) -> String {
    match error.code() {
        Some(code) if code == "NOPERM" || error.detail().is_some_and(|why| lacks_right(why.as_bytes())) => {
            format!("{ANSWERS}NOPERM to {what} (permit the commands and keys in docs/redis.md to this user)")
        }
        Some(code) => format!("{ANSWERS}{code} to {what}"),
        None => format!("the connection to Redis failed ({})", error.category()),
    }
}

/// Why there is not a connection.
pub(crate) fn no_connection(error: &PoolError) -> String {
    match error {
        PoolError::Backend(error) => said(opening(error), error),
        PoolError::Timeout(_) => "no connection in time".to_owned(),
        _ => "no connection".to_owned(),
    }
}

/// The command of a new connection that was refused.
fn opening(error: &RedisError) -> &'static str {
    let is_of_database = error.detail().is_some_and(|detail| says(detail.as_bytes(), "DB index"));
    if is_of_database { "SELECT" } else { "HELLO" }
}
