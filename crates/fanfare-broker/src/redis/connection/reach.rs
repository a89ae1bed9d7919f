//! Opens a connection to the Redis of the node, wherever it is now.

use std::sync::Arc;

use super::{
    address::RedisConfig,
    error::ConnectionError,
    finder::Finder,
    open::{Connection, within},
    place::Login,
    resp::Value,
};
use crate::redis::metrics::RedisMetrics;

/// Connects to the Redis and says HELLO, in bounded time. Where others say where it is, it must be a master.
pub(crate) async fn reach(
    config: &RedisConfig,
    finder: &Finder,
    name: &str,
    max_bulk: usize,
    metrics: &Arc<RedisMetrics>,
) -> Result<Connection, ConnectionError> {
    within(async {
        let (endpoint, era) = finder.find().await?;
        let login = Login { username: config.username.clone(), password: config.password.clone() };
        let tls = config.tls.as_ref();
        let mut connection = Connection::dial(&endpoint, tls, &login, name, max_bulk, metrics).await?;
        connection.era = era;
        connection.select(config.database).await?;
        if finder.follows() {
            must_be_master(&mut connection).await?;
        }
        Ok(connection)
    })
    .await
}

/// A server that does not permit the question is taken for a master. A replica refuses the publisher's heartbeat later.
async fn must_be_master(connection: &mut Connection) -> Result<(), ConnectionError> {
    match connection.command(&redis::cmd("ROLE")).await? {
        Value::List(fields) if fields.first() == Some(&Value::Text("master".into())) => Ok(()),
        Value::List(_) => Err(ConnectionError::Demoted),
        _ => Ok(()),
    }
}
