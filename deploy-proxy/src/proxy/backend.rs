//! One instance while the proxy knows it: what is in flight to it, and its idle connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::pool::Pool;
use crate::control::{self, Address, BackendStats};

/// Set in [`Backend::state`] while no new requests may go to the instance; the bits below count what is in flight.
/// One number holds both, so that a request either is counted before a drain looks, or sees that it came too late.
const CLOSED: u64 = 1 << 63;

/// One instance. Lives as long as it is routed or something is in flight to it, across any number of route changes.
#[derive(Debug)]
pub(crate) struct Backend {
    spec: control::Backend,
    state: AtomicU64,
    /// Told when the last one in flight leaves a closed backend, and when a closed one is opened.
    changed: Notify,
    /// Raised to close byte connections and upgraded ones.
    cut: watch::Sender<u64>,
    long_lived: AtomicU64,
    pub(crate) pool: Pool,
    sent: AtomicU64,
    connect_failures: AtomicU64,
    /// When it last refused a connection, in milliseconds from `born`; 0 where the last one was accepted.
    refused: AtomicU64,
    born: Instant,
}

/// For how long an instance that refused a connection is passed over while there is another: each try of a dead address
/// costs its request the connect timeout.
const REST: Duration = Duration::from_secs(1);

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DrainEnd {
    /// Over: what is still in flight, and what was closed at the deadline.
    Over { remaining: u64, closed: u64 },
    /// New requests go to it again.
    Reopened,
}

impl Backend {
    /// A backend that doesn't receive yet.
    pub(crate) fn new(spec: control::Backend) -> Arc<Self> {
        Arc::new(Self {
            spec,
            state: AtomicU64::new(CLOSED),
            changed: Notify::new(),
            cut: watch::Sender::new(0),
            long_lived: AtomicU64::new(0),
            pool: Pool::default(),
            sent: AtomicU64::new(0),
            connect_failures: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            born: Instant::now(),
        })
    }

    pub(crate) fn spec(&self) -> &control::Backend {
        &self.spec
    }

    /// Whether `other` means the same instance at the same place, whatever its weight.
    pub(crate) fn is(&self, other: &control::Backend) -> bool {
        self.spec.instance == other.instance
            && self.spec.release == other.release
            && self.spec.host == other.host
            && self.spec.ports == other.ports
    }

    /// Where it answers for the service's `port`.
    pub(crate) fn address(&self, port: u16) -> Address {
        self.spec.address(port)
    }

    /// Counts one in flight, unless the instance no longer receives.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        let before = self.state.fetch_add(1, Ordering::AcqRel);
        // Leaves again when dropped here.
        let in_flight = InFlight { backend: Arc::clone(self) };
        if before & CLOSED != 0 {
            return None;
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        Some(in_flight)
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.state.load(Ordering::Acquire) & !CLOSED
    }

    pub(crate) fn receives(&self) -> bool {
        self.state.load(Ordering::Acquire) & CLOSED == 0
    }

    /// Lets new requests in.
    pub(crate) fn open(&self) {
        self.pool.open();
        if self.state.fetch_and(!CLOSED, Ordering::AcqRel) & CLOSED != 0 {
            self.changed.notify_waiters();
        }
    }

    /// Lets no new requests in, and closes the idle connections.
    pub(crate) fn close(&self) {
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
        self.changed.notify_waiters();
        self.pool.close();
    }

    /// Waits until the instance no longer receives.
    pub(crate) async fn closed(&self) {
        self.until(|state| state & CLOSED != 0).await;
    }

    /// Waits until nothing is in flight or the deadline passed, and then closes what would stay for ever.
    pub(crate) async fn drain(&self, deadline: Instant) -> DrainEnd {
        let over = |state: u64| state == CLOSED || state & CLOSED == 0;
        let mut closed = 0;
        if tokio::time::timeout_at(deadline, self.until(over)).await.is_err() {
            closed = self.long_lived.load(Ordering::Acquire);
            self.cut.send_modify(|epoch| *epoch += 1);
            // Those just cut leave by themselves; nothing else is waited for.
            let left = |state: u64| over(state) || self.long_lived.load(Ordering::Acquire) == 0;
            self.until(left).await;
        }
        if self.receives() { DrainEnd::Reopened } else { DrainEnd::Over { remaining: self.in_flight(), closed } }
    }

    async fn until(&self, reached: impl Fn(u64) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if reached(self.state.load(Ordering::Acquire)) {
                return;
            }
            changed.await;
        }
    }

    /// Notes whether a connection was accepted.
    pub(crate) fn connected(&self, accepted: bool) {
        if !accepted {
            self.connect_failures.fetch_add(1, Ordering::Relaxed);
            self.refused.store(self.age().max(1), Ordering::Relaxed);
        } else if self.refused.load(Ordering::Relaxed) > 0 {
            self.refused.store(0, Ordering::Relaxed);
        }
    }

    /// Whether it refused a connection a moment ago.
    pub(crate) fn rests(&self) -> bool {
        let refused = self.refused.load(Ordering::Relaxed);
        refused > 0 && u128::from(self.age().saturating_sub(refused)) < REST.as_millis()
    }

    fn age(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn stats(&self) -> BackendStats {
        BackendStats {
            instance: self.spec.instance.clone(),
            release: self.spec.release.clone(),
            receiving: self.receives(),
            in_flight: self.in_flight(),
            sent: self.sent.load(Ordering::Relaxed),
            connect_failures: self.connect_failures.load(Ordering::Relaxed),
        }
    }

    fn leave(&self) {
        if self.state.fetch_sub(1, Ordering::AcqRel) == CLOSED | 1 {
            self.changed.notify_waiters();
        }
    }
}

/// One request or connection in flight to a backend; leaves when dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    backend: Arc<Backend>,
}

impl InFlight {
    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// Marks it as one that may stay for ever, so that a drain closes it at its deadline.
    pub(crate) fn long_lived(self) -> LongLived {
        self.backend.long_lived.fetch_add(1, Ordering::AcqRel);
        let cut = self.backend.cut.subscribe();
        LongLived { backend: Arc::clone(&self.backend), in_flight: Some(self), cut }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.backend.leave();
    }
}

/// A byte connection or an upgraded one in flight to a backend; leaves when dropped.
#[derive(Debug)]
pub(crate) struct LongLived {
    backend: Arc<Backend>,
    in_flight: Option<InFlight>,
    cut: watch::Receiver<u64>,
}

impl LongLived {
    /// Waits until a drain's deadline asks to close this connection.
    pub(crate) async fn cut(&mut self) {
        // The sender lives in the backend, which the count keeps alive.
        drop(self.cut.changed().await);
    }
}

impl Drop for LongLived {
    fn drop(&mut self) {
        // In this order: a drain that sees no long-lived one left must not count it as in flight either.
        self.in_flight.take();
        if self.backend.long_lived.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.backend.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn backend() -> Arc<Backend> {
        let backend = Backend::new(control::Backend {
            instance: "a".into(),
            release: "r".into(),
            host: "127.0.0.1".into(),
            ports: BTreeMap::new(),
            weight: 1,
        });
        backend.open();
        backend
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_when_the_last_one_leaves() {
        let backend = backend();
        let (first, second) = (backend.enter().unwrap(), backend.enter().unwrap());
        backend.close();
        assert!(backend.enter().is_none());
        let start = Instant::now();
        let (end, ()) = tokio::join!(backend.drain(later()), async {
            drop(first);
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop(second);
        });
        assert_eq!(end, DrainEnd::Over { remaining: 0, closed: 0 });
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_with_nothing_in_flight_ends_at_once() {
        let backend = backend();
        backend.close();
        let start = Instant::now();
        assert_eq!(backend.drain(later()).await, DrainEnd::Over { remaining: 0, closed: 0 });
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_closes_what_is_long_lived_and_reports_what_is_not() {
        let backend = backend();
        let request = backend.enter().unwrap();
        let mut connection = backend.enter().unwrap().long_lived();
        backend.close();
        let start = Instant::now();
        let (end, cut_after) = tokio::join!(backend.drain(later()), async move {
            connection.cut().await;
            start.elapsed()
        });
        assert_eq!(end, DrainEnd::Over { remaining: 1, closed: 1 });
        assert_eq!(cut_after, Duration::from_secs(60));
        drop(request);
        assert_eq!(backend.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_when_requests_go_there_again() {
        let backend = backend();
        let held = backend.enter().unwrap();
        backend.close();
        let (end, ()) = tokio::join!(backend.drain(later()), async { backend.open() });
        assert_eq!(end, DrainEnd::Reopened);
        drop(held);
    }
}
