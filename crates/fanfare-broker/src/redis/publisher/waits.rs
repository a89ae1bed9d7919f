//! The waits of the publisher's task. Each publish pays for them, so they leave out what costs most.

use std::{future::poll_fn, pin::Pin, task::Poll};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    time::{Instant, Sleep},
};

/// Lets the tasks run that are ready. tokio's own `yield_now` also asks the kernel for events before it goes on.
///
/// Only the scheduler of several threads runs a task that was woken ahead of them (its LIFO slot).
pub(super) async fn behind_others() {
    let mut has_waited = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Lets a timer end by this deadline. One that ends sooner stays: to set it for each item costs more than to look once
/// too often.
pub(super) fn end_by(timer: Pin<&mut Sleep>, deadline: Instant) {
    if timer.is_elapsed() || deadline < timer.deadline() {
        timer.reset(deadline);
    }
}
