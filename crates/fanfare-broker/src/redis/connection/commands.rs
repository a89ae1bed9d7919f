//! Commands that wait for an answer each, on connections of a pool.
//!
//! Invariants:
//! - Each command is counted by its purpose, and each error of Redis by its code.
//! - No error holds the sentence of a Redis error.

use std::sync::Arc;

use redis::{Cmd, FromRedisValue, Pipeline, RedisError, Value};

use super::pool::{OpenError, Pool, PoolError, PooledConnection, no_connection, said};
use crate::redis::metrics::{Kind, RedisMetrics};

/// See the head of this file.
#[derive(Clone)]
pub(crate) struct PooledCommands {
    pub(crate) pool: Pool,
    pub(crate) metrics: Arc<RedisMetrics>,
    pub(crate) kind: Kind,
}

impl PooledCommands {
    /// A connection for some commands. To take it from the pool costs a round trip.
    pub(crate) async fn connection(&self) -> Result<PooledConnection, String> {
        self.pool.get().await.map_err(|error| {
            if let PoolError::Backend(OpenError::Redis(error)) = &error {
                self.count(error);
            }
            no_connection(&error)
        })
    }

    /// Runs one command. An error calls it by this name.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        connection: &mut PooledConnection,
        name: &str,
        command: &Cmd,
    ) -> Result<T, String> {
        self.metrics.sent(self.kind);
        command.query_async(&mut **connection).await.map_err(|error| self.refused(name, &error))
    }

    /// Runs several at once.
    pub(crate) async fn run_all<T: FromRedisValue>(
        &self,
        connection: &mut PooledConnection,
        names: &str,
        commands: &Pipeline,
    ) -> Result<T, String> {
        commands.cmd_iter().for_each(|_| self.metrics.sent(self.kind));
        let answers = commands.query_async(&mut **connection).await;
        answers.map_err(|error| self.refused(names, &first_answer(error)))
    }

    /// Runs several at once, and answers for each that is not ignored. An error is one of the connection.
    pub(crate) async fn run_each(
        &self,
        connection: &mut PooledConnection,
        names: &str,
        mut commands: Pipeline,
    ) -> Result<Vec<Result<Value, RedisError>>, String> {
        commands.ignore_errors();
        let answers: Vec<Result<Value, RedisError>> = self.run_all(connection, names, &commands).await?;
        answers.iter().filter_map(|answer| answer.as_ref().err()).for_each(|error| self.count(error));
        Ok(answers)
    }

    fn refused(&self, names: &str, error: &RedisError) -> String {
        self.count(error);
        said(names, error)
    }

    fn count(&self, error: &RedisError) {
        if let Some(code) = error.code() {
            self.metrics.error(code);
        }
    }
}

/// The error of the first command of a pipeline that Redis refused. That of the pipeline itself lacks its sentence, and its
/// code word where the redis crate does not know it: OOM, MISCONF or BUSY.
fn first_answer(error: RedisError) -> RedisError {
    let answers = error.clone().into_server_errors();
    let first = answers.and_then(|answers| answers.first().map(|(_, first)| first.clone()));
    first.map_or(error, RedisError::from)
}
