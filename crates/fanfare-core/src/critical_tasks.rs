//! Tasks that a node cannot live without.

use tokio_util::sync::CancellationToken;

/// Tells when a critical task has ended: a shard's tick, a listener, a connection to Redis.
///
/// A release build aborts at a panic. In a build that unwinds, a panic ends only its task. A node without that task
/// would look alive, and keep its clients from nodes that are.
#[derive(Debug, Clone, Default)]
pub struct CriticalTasks(CancellationToken);

impl CriticalTasks {
    /// The same task. Its end is told, also by a panic.
    pub fn watch<T: Future>(&self, task: T) -> impl Future<Output = T::Output> + use<T> {
        let told = self.0.clone().drop_guard();
        async move {
            let _told = told;
            task.await
        }
    }

    /// Ends once one of the tasks has ended, for any reason.
    pub async fn ended(&self) {
        self.0.cancelled().await;
    }
}
