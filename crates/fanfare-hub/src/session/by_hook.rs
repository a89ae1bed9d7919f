//! Whether the backend named a session's client, and whether it is asked again.

use std::sync::atomic::{AtomicU8, Ordering};

const NOT: u8 = 0;
const NAMED: u8 = 1;
const RENEWING: u8 = 2;

/// See the head of this file. At first the backend did not name it.
#[derive(Default)]
pub(crate) struct ByHook(AtomicU8);

impl ByHook {
    /// The client has a new identity.
    pub(crate) fn set(&self, is_by_hook: bool) {
        self.0.store(if is_by_hook { NAMED } else { NOT }, Ordering::Release);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire) != NOT
    }

    /// Whether the backend named the client, and is not being asked.
    pub(crate) fn waits_for_renewal(&self) -> bool {
        self.0.load(Ordering::Acquire) == NAMED
    }

    /// The backend is asked from now on. `false` where it is asked already, or did not name the client.
    pub(crate) fn begin_renewal(&self) -> bool {
        self.0.compare_exchange(NAMED, RENEWING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The backend is not asked any more.
    pub(crate) fn end_renewal(&self) {
        let _ = self.0.compare_exchange(RENEWING, NAMED, Ordering::AcqRel, Ordering::Acquire);
    }
}
