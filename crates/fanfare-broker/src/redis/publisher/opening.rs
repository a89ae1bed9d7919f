//! Opens the publishing connection.

use std::sync::Arc;

use super::{fence::Fence, writer::heartbeat};
use crate::{
    liveness::split::Found,
    redis::{
        connection::{
            address::RedisConfig, code::DEMOTED, error::ConnectionError, open::Connection, reach::reach,
            resp::Value,
        },
        metrics::RedisMetrics,
        names::Names,
        server,
    },
};

/// The longest answer: those to PUBLISH are a number or a line.
const MAX_ANSWER: usize = 64 << 10;

/// A connection, the code word with which Redis refused its heartbeat, and the server that it leads to.
pub(super) type Opened = (Connection, Option<String>, Result<Found, String>);

/// Connects, raises the fence, looks whether Redis takes writes, and asks which server it is. The fence is given back
/// in any case.
pub(super) fn open(
    config: &Arc<RedisConfig>,
    name: &str,
    names: &Arc<Names>,
    metrics: &Arc<RedisMetrics>,
    mut fence: Fence,
) -> impl Future<Output = (Result<Opened, ConnectionError>, Fence)> + use<> {
    let (config, name, names, metrics) = (config.clone(), name.to_owned(), names.clone(), metrics.clone());
    async move {
        let opened = async {
            let mut connection = reach(&config, &name, MAX_ANSWER, &metrics).await?;
            fence.raise(&mut connection).await?;
            let heartbeat = match connection.command(&heartbeat(&names)).await? {
                Value::Error(error) => Some(connection.error(&error)),
                _ => None,
            };
            match heartbeat {
                Some(code) if code == DEMOTED => Err(ConnectionError::Demoted),
                heartbeat => {
                    let found = server::find(&mut connection, &names).await?;
                    Ok((connection, heartbeat, found))
                }
            }
        };
        let opened = opened.await;
        (opened, fence)
    }
}
