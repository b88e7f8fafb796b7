use super::{CallKind, Faults, own};
use crate::{
    model::{Millis, RouterId, ServiceName, Shares, WorkloadRef},
    router::{Router, Uptake},
    target::{Cx, TargetError},
};
use async_trait::async_trait;
use std::sync::Arc;

/// A router with faults.
pub(super) struct FaultyRouter {
    pub(super) inner: Arc<dyn Router>,
    pub(super) faults: Faults,
}

#[async_trait]
impl Router for FaultyRouter {
    fn id(&self) -> &RouterId {
        self.inner.id()
    }

    async fn route(&self, cx: &Cx, service: &ServiceName, from: &Shares, to: &Shares) -> Result<Uptake, TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx, service, from, to => inner.route(&cx, &service, &from, &to));
        self.faults.call(CallKind::Route, format!("{service}: {to}"), Some(&cx.step), perform).await
    }

    async fn drain(&self, cx: &Cx, workload: &WorkloadRef, by: Millis) -> Result<Option<u64>, TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx, workload => inner.drain(&cx, &workload, by));
        self.faults.call(CallKind::Drain, &workload.release, Some(&cx.step), perform).await
    }
}
