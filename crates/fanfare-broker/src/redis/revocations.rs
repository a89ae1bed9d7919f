//! Revoked tokens in Redis: one hash, which every node reads.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use fanfare_core::{
    Revocation, Revocations,
    revocation::{MAX_REVOCATIONS, RevocationError, RevocationFuture},
};
use redis::FromRedisValue;

use super::{
    connection::{commands::PooledCommands, pool::PooledConnection},
    names::Names,
};
use crate::revocation::{decode, field, value};

/// See the head of this file.
#[derive(Clone)]
pub(crate) struct RedisRevocations {
    pub(crate) commands: PooledCommands,
    pub(crate) names: Arc<Names>,
}

impl RedisRevocations {
    async fn write(&self, revocation: &Revocation) -> Result<(), RevocationError> {
        let key = self.names.revoked();
        let mut connection = self.connection().await?;
        let count: usize = self.run(&mut connection, "HLEN", redis::cmd("HLEN").arg(&key)).await?;
        // Those that are over are removed by reading.
        if count >= MAX_REVOCATIONS && self.read(&mut connection).await?.len() >= MAX_REVOCATIONS {
            return Err(RevocationError::TooMany);
        }
        let mut set = redis::cmd("HSET");
        set.arg(&key).arg(field(&revocation.tokens)).arg(value(revocation));
        self.run(&mut connection, "HSET", &set).await
    }

    /// Reads all, and removes those whose time is over.
    async fn read(&self, connection: &mut PooledConnection) -> Result<Vec<Revocation>, RevocationError> {
        let key = self.names.revoked();
        let fields: HashMap<String, String> =
            self.run(connection, "HGETALL", redis::cmd("HGETALL").arg(&key)).await?;
        let (mut live, mut remove) = (Vec::new(), redis::cmd("HDEL"));
        remove.arg(&key);
        let (now, mut is_any_over) = (SystemTime::now(), false);
        for (field, value) in &fields {
            match decode(field, value) {
                Some(revocation) if revocation.until > now => live.push(revocation),
                Some(_) => {
                    remove.arg(field);
                    is_any_over = true;
                }
                None => tracing::warn!("a field of {key} is not a revocation: it is left as it was found"),
            }
        }
        if is_any_over {
            self.run::<()>(connection, "HDEL", &remove).await?;
        }
        Ok(live)
    }

    async fn connection(&self) -> Result<PooledConnection, RevocationError> {
        self.commands.connection().await.map_err(RevocationError::Unavailable)
    }

    async fn run<T: FromRedisValue>(
        &self,
        connection: &mut PooledConnection,
        name: &str,
        command: &redis::Cmd,
    ) -> Result<T, RevocationError> {
        self.commands.run(connection, name, command).await.map_err(RevocationError::Unavailable)
    }
}

impl Revocations for RedisRevocations {
    fn add(&self, revocation: &Revocation) -> RevocationFuture<()> {
        let (this, revocation) = (self.clone(), revocation.clone());
        Box::pin(async move { this.write(&revocation).await })
    }

    fn all(&self) -> RevocationFuture<Vec<Revocation>> {
        let this = self.clone();
        Box::pin(async move { this.read(&mut this.connection().await?).await })
    }
}
