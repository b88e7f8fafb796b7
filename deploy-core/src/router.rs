//! The trait Router: what sends requests to workloads.

use crate::{
    model::{Millis, RouterId, ServiceName, Shares, WorkloadRef},
    target::{Cx, TargetError},
};
use async_trait::async_trait;

/// How sure a router is that a route was taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uptake {
    /// Every request from now on follows it.
    Acknowledged,
    /// Nobody can know: requests may go to the old instances for this long.
    Settle(Millis),
}

/// Sets who answers a service's requests. What is routed now is part of what its target observes.
///
/// # Guarantees
/// `route` is a compare-and-swap: where the routes are neither `from` nor `to`, nothing changes and the answer is
/// [`TargetError::Conflict`]. It is durable before it is acknowledged.
///
/// # Idempotency
/// `route` to what is routed already succeeds.
///
/// # Errors
/// As for a target.
#[async_trait]
pub trait Router: Send + Sync {
    /// Its name.
    fn id(&self) -> &RouterId;

    /// Moves a service's requests.
    async fn route(&self, cx: &Cx, service: &ServiceName, from: &Shares, to: &Shares) -> Result<Uptake, TargetError>;

    /// Waits until no request is in flight at those instances of the workload that the routes leave out, at most until
    /// `by` from now; then ends what is left. Returns how many requests were ended so; `None` where nobody can count.
    async fn drain(&self, cx: &Cx, workload: &WorkloadRef, by: Millis) -> Result<Option<u64>, TargetError>;
}
