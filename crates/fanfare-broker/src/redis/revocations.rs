//! Revoked tokens in Redis: one hash, which every node reads.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use deadpool_redis::Pool;
use fanfare_core::{
    Revocation, Revocations,
    revocation::{MAX_REVOCATIONS, RevocationError, RevocationFuture},
};
use redis::FromRedisValue;

use super::{
    metrics::{Kind, RedisMetrics},
    names::Names,
};
use crate::revocation::{decode, field, value};

/// See the head of this file.
#[derive(Clone)]
pub(crate) struct RedisRevocations {
    pub(crate) pool: Pool,
    pub(crate) names: Arc<Names>,
    pub(crate) metrics: Arc<RedisMetrics>,
}

impl RedisRevocations {
    async fn write(&self, revocation: &Revocation) -> Result<(), RevocationError> {
        let key = self.names.revoked();
        let count: usize = self.query(redis::cmd("HLEN").arg(&key)).await?;
        if count >= MAX_REVOCATIONS {
            // Those that are over are removed by reading.
            let live = self.read().await?;
            if live.len() >= MAX_REVOCATIONS {
                return Err(RevocationError::TooMany);
            }
        }
        let mut set = redis::cmd("HSET");
        set.arg(&key).arg(field(&revocation.tokens)).arg(value(revocation));
        self.query(&set).await
    }

    /// Reads all, and removes those whose time is over.
    async fn read(&self) -> Result<Vec<Revocation>, RevocationError> {
        let key = self.names.revoked();
        let fields: HashMap<String, String> = self.query(redis::cmd("HGETALL").arg(&key)).await?;
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
            self.query::<i64>(&remove).await?;
        }
        Ok(live)
    }

    async fn query<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, RevocationError> {
        let unavailable = |why: &str| RevocationError::Unavailable(why.to_owned());
        let connection = self.pool.get().await;
        let mut connection = connection.map_err(|_| unavailable("no connection to Redis in time"))?;
        self.metrics.sent(Kind::Revocation);
        command
            .query_async(&mut connection)
            .await
            .map_err(|error| unavailable(&format!("Redis answers {}", error.code().unwrap_or("nothing"))))
    }
}

impl Revocations for RedisRevocations {
    fn add(&self, revocation: &Revocation) -> RevocationFuture<()> {
        let (this, revocation) = (self.clone(), revocation.clone());
        Box::pin(async move { this.write(&revocation).await })
    }

    fn all(&self) -> RevocationFuture<Vec<Revocation>> {
        let this = self.clone();
        Box::pin(async move { this.read().await })
    }
}
