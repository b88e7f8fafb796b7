//! The duties of process 1 in a container.

use rustix::process::{WaitOptions, wait};
use tokio::signal::unix::{SignalKind, signal};

/// Where this is process 1, takes leave of processes that were orphaned in the container, so that they don't stay as
/// zombies. Never returns.
pub(super) async fn reap() {
    if std::process::id() == 1
        && let Ok(mut children) = signal(SignalKind::child())
    {
        while children.recv().await.is_some() {
            while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        }
    }
    std::future::pending().await
}
