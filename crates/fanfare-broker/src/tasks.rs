//! The tasks of a broker.

use fanfare_core::Vital;
use tokio_util::task::TaskTracker;

/// All of them are vital, and end with the broker.
#[derive(Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    vital: Vital,
}

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(self.vital.watch(task));
    }

    /// Ends once one of them has ended.
    pub(crate) async fn one_ended(&self) {
        self.vital.ended().await;
    }

    /// Ends once all of them have.
    pub(crate) async fn all_ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
