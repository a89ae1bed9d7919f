//! Waiting with a timeout.

use std::time::Duration;

use tokio::time::Instant;

/// The time after which a test gives up. Far more than anything takes: it does not measure.
pub const TIMEOUT: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits for `work`; `what` says what the test waits for.
///
/// # Panics
/// After [`TIMEOUT`].
pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(TIMEOUT, work).await {
        Ok(done) => done,
        Err(_) => panic!("not within {} s: {what}", TIMEOUT.as_secs()),
    }
}

/// The timeout of [`assert_eventually!`](crate::assert_eventually).
#[derive(Debug)]
pub struct Timeout(Instant);

impl Default for Timeout {
    fn default() -> Self {
        Self(Instant::now() + TIMEOUT)
    }
}

impl Timeout {
    /// Waits a little before the next look.
    ///
    /// # Panics
    /// After the timeout, with `why`.
    pub async fn wait(&self, why: impl FnOnce() -> String) {
        assert!(Instant::now() < self.0, "not within {} s: {}", TIMEOUT.as_secs(), why());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until a condition is true, which may have an `.await` in it; else fails with a sentence.
#[macro_export]
macro_rules! assert_eventually {
    ($condition:expr, $($why:tt)+) => {{
        let timeout = $crate::Timeout::default();
        while !$condition {
            timeout.wait(|| format!($($why)+)).await;
        }
    }};
}
