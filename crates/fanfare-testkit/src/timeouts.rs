//! Waiting for what must come.

use std::time::Duration;

use tokio::time::Instant;

/// After how long a test gives up. Far more than anything takes: it is no measure.
pub const PATIENCE: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits for `work`; `what` says what the test waited for if it does not end.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("not within {} s: {what}", PATIENCE.as_secs()),
    }
}

/// What [`assert_eventually!`](crate::assert_eventually) waits with.
#[derive(Debug)]
pub struct Patience(Instant);

impl Default for Patience {
    fn default() -> Self {
        Self(Instant::now() + PATIENCE)
    }
}

impl Patience {
    /// Waits a little before the next look.
    ///
    /// # Panics
    /// With `why`, once there is no patience left.
    pub async fn wait(&self, why: impl FnOnce() -> String) {
        assert!(Instant::now() < self.0, "not within {} s: {}", PATIENCE.as_secs(), why());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks until a condition is true, in which there may be an `.await`; else fails with a sentence.
#[macro_export]
macro_rules! assert_eventually {
    ($condition:expr, $($why:tt)+) => {{
        let patience = $crate::Patience::default();
        while !$condition {
            patience.wait(|| format!($($why)+)).await;
        }
    }};
}
