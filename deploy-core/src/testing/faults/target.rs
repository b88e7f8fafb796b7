use super::{CallKind, Faults, own};
use crate::{
    lease::LeaseEnd,
    model::{
        Capabilities, Instance, Millis, Object, ObjectRef, Pace, Payload, Release, ReleaseId, ServiceName, TargetId,
        WorkloadRef, World,
    },
    prober::{Answer, Probe, ProbeError, Prober},
    target::{Cx, Look, Target, TargetError},
};
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use std::sync::Arc;

/// A target with faults.
pub(super) struct FaultyTarget {
    inner: Arc<dyn Target>,
    prober: FaultyProber,
    faults: Faults,
}

struct FaultyProber {
    target: Arc<dyn Target>,
    faults: Faults,
}

impl FaultyTarget {
    pub(super) fn new(inner: Arc<dyn Target>, faults: Faults) -> Self {
        Self { prober: FaultyProber { target: inner.clone(), faults: faults.clone() }, inner, faults }
    }
}

#[async_trait]
impl Target for FaultyTarget {
    fn id(&self) -> &TargetId {
        self.inner.id()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        let about = services.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(" ");
        let (inner, services) = (&self.inner, services.to_vec());
        self.faults.call(CallKind::Observe, about, None, own!(inner, services => inner.observe(&services))).await
    }

    async fn store(&self, cx: &Cx, release: &Release, payload: &Payload) -> Result<(), TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx, release, payload => inner.store(&cx, &release, &payload));
        self.faults.call(CallKind::Store, &release.id, Some(&cx.step), perform).await
    }

    async fn ensure(&self, cx: &Cx, workload: &WorkloadRef, count: Option<u32>) -> Result<(), TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx, workload => inner.ensure(&cx, &workload, count));
        self.faults.call(CallKind::Ensure, &workload.release, Some(&cx.step), perform).await
    }

    async fn remove(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx, workload => inner.remove(&cx, &workload, keep));
        self.faults.call(CallKind::Remove, &workload.release, Some(&cx.step), perform).await
    }

    fn prober(&self) -> &dyn Prober {
        &self.prober
    }

    async fn replace(&self, cx: &Cx, workload: &WorkloadRef, from: &ReleaseId, pace: Pace) -> Result<(), TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx, workload, from => inner.replace(&cx, &workload, &from, pace));
        self.faults.call(CallKind::Replace, &workload.release, Some(&cx.step), perform).await
    }

    async fn apply(&self, cx: &Cx, object: &Object) -> Result<(), TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx, object => inner.apply(&cx, &object));
        self.faults.call(CallKind::Apply, &object.object, Some(&cx.step), perform).await
    }

    async fn delete(&self, cx: &Cx, object: &ObjectRef) -> Result<(), TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx, object => inner.delete(&cx, &object));
        self.faults.call(CallKind::Delete, object, Some(&cx.step), perform).await
    }

    async fn look(&self, cx: &Cx, object: &ObjectRef) -> Result<Look, TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx, object => inner.look(&cx, &object));
        self.faults.call(CallKind::Look, object, None, perform).await
    }

    async fn adopt(&self, cx: &Cx, before: LeaseEnd) -> Result<(), TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx => inner.adopt(&cx, before));
        self.faults.call(CallKind::Adopt, "", Some(&cx.step), perform).await
    }

    async fn discard(&self, cx: &Cx, release: &ReleaseId) -> Result<(), TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx, release => inner.discard(&cx, &release));
        self.faults.call(CallKind::Discard, release, Some(&cx.step), perform).await
    }

    async fn prune(&self, cx: &Cx, service: &ServiceName, keep: usize) -> Result<(), TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, cx, service => inner.prune(&cx, &service, keep));
        self.faults.call(CallKind::Prune, service, Some(&cx.step), perform).await
    }

    fn watch(&self) -> BoxStream<'static, ()> {
        self.inner.watch()
    }

    fn warnings(&self) -> Vec<String> {
        self.inner.warnings()
    }

    async fn logs(&self, instance: &Instance, lines: usize) -> Result<Vec<String>, TargetError> {
        let inner = &self.inner;
        let perform = own!(inner, instance => inner.logs(&instance, lines));
        self.faults.call(CallKind::Logs, &instance.name, None, perform).await
    }
}

#[async_trait]
impl Prober for FaultyProber {
    async fn probe(&self, instance: &Instance, probe: &Probe, timeout: Millis) -> Result<Answer, ProbeError> {
        let target = &self.target;
        let perform = own!(target, instance, probe => target.prober().probe(&instance, &probe, timeout));
        self.faults.call(CallKind::Probe, &instance.name, None, perform).await
    }

    fn waits_for(&self, instance: &Instance) -> Option<String> {
        self.target.prober().waits_for(instance)
    }
}
