//! Opens the publishing connection.

use std::sync::Arc;

use super::{fence::Fence, writer::heartbeat};
use crate::{
    liveness::split::Found,
    redis::{
        connection::{
            address::RedisConfig,
            code::{DEMOTED, NotRun, says},
            error::ConnectionError,
            finder::Finder,
            open::Connection,
            reach::reach,
            resp::Value,
        },
        metrics::RedisMetrics,
        names::Names,
        pubsub::PubSub,
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
    finder: &Finder,
    name: &str,
    names: &Arc<Names>,
    metrics: &Arc<RedisMetrics>,
    mut fence: Fence,
) -> impl Future<Output = (Result<Opened, ConnectionError>, Fence)> + use<> {
    let (config, finder) = (config.clone(), finder.clone());
    let (name, names, metrics) = (name.to_owned(), names.clone(), metrics.clone());
    async move {
        let opened = async {
            let mut connection = reach(&config, &finder, &name, MAX_ANSWER, &metrics).await?;
            fence.raise(&mut connection).await?;
            must_be_sharded(&mut connection, &names).await?;
            let heartbeat = match connection.command(&heartbeat(&names)).await? {
                Value::Error(error) => match NotRun::of(&error) {
                    Some(NotRun::Moved) => return Err(ConnectionError::Moved),
                    Some(NotRun::Later) => None,
                    None => Some(connection.error(&error)),
                },
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

/// In a Cluster, Redis must know SPUBLISH, where the URL does not say otherwise: a node that chose by itself could be one
/// of two that do not hear each other.
async fn must_be_sharded(connection: &mut Connection, names: &Names) -> Result<(), ConnectionError> {
    if names.pubsub() == PubSub::Plain {
        return Ok(());
    }
    match connection.command(redis::cmd("SPUBLISH").arg(names.nobody()).arg("")).await? {
        Value::Error(error) if says(&error, "unknown command") => Err(ConnectionError::NotSharded),
        _ => Ok(()),
    }
}
