//! The tasks of a broker.

use fanfare_core::CriticalTasks;
use tokio_util::task::TaskTracker;

/// All of them are critical. They end with the broker.
#[derive(Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    critical_tasks: CriticalTasks,
}

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(self.critical_tasks.watch(task));
    }

    /// Returns once one of them has ended.
    pub(crate) async fn one_ended(&self) {
        self.critical_tasks.ended().await;
    }

    /// Returns once all of them have ended.
    pub(crate) async fn all_ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
