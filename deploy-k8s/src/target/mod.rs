//! Hands on a namespace. A set is put *beside* what runs by a hold: the Deployment's rolling update is begun, and kept from
//! taking an old pod away, so that its old and its new ReplicaSet stand side by side. See ADR 0013.

mod adopt;
mod ensure;
mod logs;
mod observe;
mod prune;
mod remove;
mod replace;

use crate::{content::Content, objects::AWAITED, prober::PodProber, shared::Shared};
use async_trait::async_trait;
use deploy_core::{
    lease::LeaseEnd,
    model::{
        Capabilities, Instance, Object, ObjectRef, Pace, Payload, Release, ReleaseId, ServiceName, TargetId,
        WorkloadRef, World,
    },
    prober::Prober,
    target::{Cx, Look, Target, TargetError},
};
use futures_util::stream::{self, BoxStream, StreamExt};
use std::sync::{Arc, PoisonError};

/// Deploys in one namespace.
pub(crate) struct KubeTarget {
    pub(crate) shared: Arc<Shared>,
    pub(crate) prober: PodProber,
}

#[async_trait]
impl Target for KubeTarget {
    fn id(&self) -> &TargetId {
        &self.shared.target
    }

    fn capabilities(&self) -> Capabilities {
        let disposable = self.shared.disposable.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let awaited = AWAITED.iter().map(|rule| (rule.kind.to_owned(), rule.by)).collect();
        Capabilities { replaces: true, owns_counts: true, disposable, awaited, ..Capabilities::default() }
    }

    async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        self.shared.observe(services).await
    }

    async fn observe_sets(&self, service: &ServiceName) -> Result<World, TargetError> {
        self.shared.observe_sets(std::slice::from_ref(service)).await
    }

    async fn store(&self, cx: &Cx, release: &Release, payload: &Payload) -> Result<(), TargetError> {
        let content = Content::read(&release.id, payload)?;
        self.shared.releases.store(cx.fence, release, payload).await?;
        self.shared.remember(&release.id, &content);
        Ok(())
    }

    async fn ensure(&self, cx: &Cx, workload: &WorkloadRef, count: Option<u32>) -> Result<(), TargetError> {
        match count {
            None => self.shared.ensure(cx, workload).await,
            Some(count) => Err(TargetError::Rejected {
                why: format!(
                    "expected {} to be as large as the cluster has it, but found {count}; scale it by `kubectl scale`",
                    workload.service
                ),
            }),
        }
    }

    async fn remove(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        self.shared.remove(cx, workload, keep).await
    }

    fn prober(&self) -> &dyn Prober {
        &self.prober
    }

    async fn replace(&self, cx: &Cx, workload: &WorkloadRef, from: &ReleaseId, pace: Pace) -> Result<(), TargetError> {
        self.shared.replace(cx, workload, from, pace).await
    }

    async fn apply(&self, cx: &Cx, object: &Object) -> Result<(), TargetError> {
        self.shared.apply(cx, object).await
    }

    async fn delete(&self, cx: &Cx, object: &ObjectRef) -> Result<(), TargetError> {
        self.shared.delete(cx, object).await
    }

    async fn look(&self, cx: &Cx, object: &ObjectRef) -> Result<Look, TargetError> {
        self.shared.look(cx, object).await
    }

    async fn adopt(&self, cx: &Cx, _: LeaseEnd) -> Result<(), TargetError> {
        self.shared.adopt(cx).await
    }

    async fn discard(&self, cx: &Cx, release: &ReleaseId) -> Result<(), TargetError> {
        self.shared.discard_copies(cx, release).await?;
        self.shared.releases.discard(cx.fence, release).await
    }

    async fn prune(&self, cx: &Cx, service: &ServiceName, keep: usize) -> Result<(), TargetError> {
        self.shared.prune(cx, service, keep).await
    }

    fn watch(&self) -> BoxStream<'static, ()> {
        let (view, changes) = (Arc::clone(&self.shared.view), self.shared.view.changes());
        stream::unfold((view, changes), |(view, mut changes)| async move {
            changes.changed().await.ok().map(|()| ((), (view, changes)))
        })
        .boxed()
    }

    async fn logs(&self, instance: &Instance, lines: usize) -> Result<Vec<String>, TargetError> {
        self.shared.logs(&instance.name, lines).await
    }
}
