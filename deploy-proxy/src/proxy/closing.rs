//! The end of a proxy: told once, seen by every connection.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

/// Two moments: no further requests, and no further waiting.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    phase: AtomicU8,
    changed: Notify,
}

impl Closing {
    /// Requests in flight finish, and nothing new begins.
    pub(crate) fn close(&self) {
        self.reach(1);
    }

    /// What is still there is cut off.
    pub(crate) fn end_grace(&self) {
        self.reach(2);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.phase.load(Ordering::Acquire) >= 1
    }

    pub(crate) async fn wait(&self) {
        self.until(1).await;
    }

    pub(crate) async fn grace_over(&self) {
        self.until(2).await;
    }

    fn reach(&self, phase: u8) {
        self.phase.fetch_max(phase, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    async fn until(&self, phase: u8) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.phase.load(Ordering::Acquire) >= phase {
                return;
            }
            changed.await;
        }
    }
}
