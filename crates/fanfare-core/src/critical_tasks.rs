//! Tasks that a node cannot live without.

use tokio_util::sync::CancellationToken;

/// Tells when one of a part's critical tasks has ended: a shard's tick, a listener, a connection to Redis.
///
/// A release build aborts at a panic. In a build that unwinds, a panic ends its task alone; a node without such a task
/// would only look alive, and keep its clients from those that are.
#[derive(Debug, Clone, Default)]
pub struct CriticalTasks(CancellationToken);

impl CriticalTasks {
    /// The same task, whose end is told, be it by a panic.
    pub fn watch<T: Future>(&self, task: T) -> impl Future<Output = T::Output> + use<T> {
        let told = self.0.clone().drop_guard();
        async move {
            let _told = told;
            task.await
        }
    }

    /// Ends once one of the tasks has ended, for whatever reason.
    pub async fn ended(&self) {
        self.0.cancelled().await;
    }
}
