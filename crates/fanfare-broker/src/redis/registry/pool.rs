//! The connections that read and write the registry.

use std::{sync::Arc, time::Duration};

use deadpool_redis::{Hook, HookError, Manager, Pool, PoolConfig, Runtime, Timeouts};
use fanfare_core::registry::RegistryError;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    RedisError,
};

use crate::redis::connection::{address::RedisConfig, links::Links};

const CONNECTIONS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a connection is used.
const USED_FOR: Duration = Duration::from_secs(5);

/// A pool of connections. Each is replaced after [`USED_FOR`], and when the publisher's is: a new connection shows
/// where the name leads now. The redis crate tries all addresses of a name at once.
pub(crate) fn pool(config: &RedisConfig, links: Arc<Links>) -> Result<Pool, RegistryError> {
    let patience = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let manager = reach(config).and_then(|info| Manager::new_with_config(info, patience));
    let timeouts = Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(PATIENCE) };
    Pool::builder(manager.map_err(|error| said("HELLO", &error))?)
        .config(PoolConfig { timeouts, ..PoolConfig::new(CONNECTIONS) })
        .runtime(Runtime::Tokio1)
        .pre_recycle(Hook::sync_fn(move |_, used| {
            let is_old = used.age() > USED_FOR || !links.is_news(used.created);
            if is_old { Err(HookError::message("it is replaced")) } else { Ok(()) }
        }))
        .build()
        .map_err(|error| RegistryError(error.to_string()))
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
pub(super) const ANSWERS: &str = "Redis answers ";

/// An error of Redis without its sentence, which may quote the refused command.
pub(super) fn said(what: &str, error: &RedisError) -> RegistryError {
    RegistryError(match error.code() {
        Some(code) => format!("{ANSWERS}{code} to {what}"),
        None => error.category().to_owned(),
    })
}
