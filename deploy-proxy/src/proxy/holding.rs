//! Requests that wait while a service is between two instances.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until};

/// How many requests and connections wait at once; those beyond are told to come again.
const ROOM: usize = 4096;

/// Since when nobody receives, and who waits for that to end.
///
/// All waits end at one time, counted from when the last instance left: between two instances a request is late, and where
/// a service has been gone for longer, nobody waits in vain.
#[derive(Debug)]
pub(crate) struct Holding {
    /// None while somebody receives.
    since: Mutex<Option<Instant>>,
    changed: Notify,
    room: Semaphore,
}

impl Holding {
    /// From now on, nobody receives.
    pub(crate) fn new() -> Self {
        Self { since: Mutex::new(Some(Instant::now())), changed: Notify::new(), room: Semaphore::new(ROOM) }
    }

    /// Told after each change of the routes.
    pub(crate) fn changed(&self, receives: bool) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = if receives { None } else { since.or_else(|| Some(Instant::now())) };
        drop(since);
        self.changed.notify_waiters();
    }

    /// Waits until `look` finds something. None when nobody has received for `longest`, or too many wait already.
    pub(crate) async fn until<T>(&self, longest: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
        let _place = self.room.try_acquire().ok()?;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = look() {
                return Some(found);
            }
            let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
            let end = since.unwrap_or_else(Instant::now) + longest;
            tokio::select! {
                () = changed => {}
                () = sleep_until(end) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    const LONGEST: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn all_waits_end_together_counted_from_when_the_last_one_left() {
        let holding = Holding::new();
        holding.changed(true);
        tokio::time::advance(Duration::from_secs(100)).await;
        let left = Instant::now();
        holding.changed(false);
        tokio::time::advance(Duration::from_secs(10)).await;
        // a change that brings nobody doesn't begin it anew
        holding.changed(false);
        assert_eq!(holding.until(LONGEST, || None::<()>).await, None);
        assert_eq!(left.elapsed().as_secs(), 30);
        assert_eq!(holding.until(LONGEST, || None::<()>).await, None);
        assert_eq!(left.elapsed().as_secs(), 30, "and later ones don't wait");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_is_woken_and_room_is_given_back() {
        let (holding, there) = (Arc::new(Holding::new()), Arc::new(AtomicBool::new(false)));
        let waits = (0..ROOM).map(|_| {
            let (holding, there) = (Arc::clone(&holding), Arc::clone(&there));
            tokio::spawn(async move { holding.until(LONGEST, || there.load(Ordering::SeqCst).then_some(())).await })
        });
        let waits: Vec<_> = waits.collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        assert_eq!(holding.until(LONGEST, || None::<()>).await, None, "no room");
        assert!(began.elapsed() < Duration::from_millis(10));
        there.store(true, Ordering::SeqCst);
        holding.changed(true);
        for wait in waits {
            assert_eq!(wait.await.unwrap(), Some(()));
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(holding.until(LONGEST, || Some(())).await, Some(()));
    }
}
