use super::{CallKind, Faults, own};
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
        let (inner, name) = (&self.inner, holder.to_owned());
        self.faults.call(CallKind::Take, holder, None, own!(inner, name => inner.take(&name))).await
    }

    async fn renew(&self, fence: Fence) -> Result<(), LeaseError> {
        let inner = &self.inner;
        self.faults.call(CallKind::Renew, fence, None, own!(inner => inner.renew(fence))).await
    }

    async fn free(&self, fence: Fence) -> Result<(), LeaseError> {
        let inner = &self.inner;
        self.faults.call(CallKind::Free, fence, None, own!(inner => inner.free(fence))).await
    }
}
