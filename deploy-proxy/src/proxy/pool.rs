//! Idle connections to one instance.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::upstream::Upstream;

/// Connections beyond this number are closed after use instead of kept.
const MOST_IDLE: usize = 1024;

/// The connection used last is taken first, so that those in excess grow old and go.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// Held for a push or a pop only.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    open: bool,
    idle: Vec<Idle>,
}

#[derive(Debug)]
struct Idle {
    since: Instant,
    upstream: Box<Upstream>,
}

impl Pool {
    /// Takes a connection to the instance's `port` that has been idle for less than `most`. It may have been closed by the other
    /// side meanwhile.
    pub(crate) fn take(&self, port: u16, most: Duration) -> Option<Box<Upstream>> {
        let mut inner = self.lock();
        let at = inner.idle.iter().rposition(|idle| idle.upstream.address().port == port)?;
        if inner.idle[at].since.elapsed() >= most {
            // Those before it are older still, and the sweep takes them.
            return None;
        }
        Some(inner.idle.remove(at).upstream)
    }

    /// Keeps a connection for the next request, or closes it when the instance is on its way out.
    pub(crate) fn put(&self, upstream: Box<Upstream>) {
        let mut inner = self.lock();
        if inner.open && inner.idle.len() < MOST_IDLE {
            inner.idle.push(Idle { since: Instant::now(), upstream });
        }
    }

    /// Closes what has been idle for `most` or longer.
    pub(crate) fn sweep(&self, most: Duration) {
        let mut inner = self.lock();
        let fresh = inner.idle.iter().position(|idle| idle.since.elapsed() < most).unwrap_or(inner.idle.len());
        let old: Vec<Idle> = inner.idle.drain(..fresh).collect();
        drop(inner);
        drop(old);
    }

    /// Keeps connections from now on.
    pub(crate) fn open(&self) {
        self.lock().open = true;
    }

    /// Closes all idle connections, and keeps none from now on. When this returns they are closed.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.open = false;
        let idle = std::mem::take(&mut inner.idle);
        drop(inner);
        drop(idle);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
