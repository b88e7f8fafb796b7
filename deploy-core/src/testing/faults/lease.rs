use super::{CallKind, Faults};
use crate::{
    lease::{Grant, Lease, LeaseError},
    model::Fence,
};
use async_trait::async_trait;
use std::sync::Arc;

/// A lease with faults.
pub(super) struct FaultyLease {
    pub(super) inner: Arc<dyn Lease>,
    pub(super) faults: Faults,
}

#[async_trait]
impl Lease for FaultyLease {
    async fn take(&self, holder: &str) -> Result<Grant, LeaseError> {
        self.faults.call(CallKind::Take, holder, None, || self.inner.take(holder)).await
    }

    async fn renew(&self, fence: Fence) -> Result<(), LeaseError> {
        self.faults.call(CallKind::Renew, fence, None, || self.inner.renew(fence)).await
    }

    async fn free(&self, fence: Fence) -> Result<(), LeaseError> {
        self.faults.call(CallKind::Free, fence, None, || self.inner.free(fence)).await
    }
}
