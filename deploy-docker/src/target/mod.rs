//! The target: hands on one project of one Engine.

mod adopt;
mod composes;
mod ensure;
mod instance;
mod kept;
mod lodger;
mod observe;
mod start;
mod watch;

use crate::{
    definition::Definition,
    handle::{Handle, agent_error},
    objects::{NETWORK, PROXY, VOLUME},
    prober::DockerProber,
    shared::Tried,
};
use async_trait::async_trait;
use bollard::query_parameters::LogsOptions;
use deploy_core::{
    lease::LeaseEnd,
    model::{
        Capabilities, Instance, Object, ObjectRef, Payload, Release, ReleaseId, ServiceName, TargetId, WorkloadRef,
        World,
    },
    prober::Prober,
    target::{Cx, Target, TargetError},
};
use futures_util::{TryStreamExt, stream::BoxStream};

/// A Compose project on an Engine.
#[derive(Debug)]
pub(crate) struct DockerTarget {
    handle: Handle,
    prober: DockerProber,
}

impl DockerTarget {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { prober: DockerProber::new(handle.clone()), handle }
    }

    async fn definition(&self, workload: &WorkloadRef) -> Result<Definition, TargetError> {
        let release = &workload.release;
        let payload = self.handle.agent().await?.load(release).await.map_err(agent_error)?;
        if let Some(payload) = payload {
            let read = Definition::read(release, &payload);
            return read.map_err(|error| TargetError::Rejected { why: error.to_string() });
        }
        let composes = self.handle.definition_of_composes(workload).await?;
        composes.ok_or_else(|| TargetError::Rejected {
            why: format!("expected the configuration of {release} in the project's state volume, but found none: deploy it again from its file"),
        })
    }
}

#[async_trait]
impl Target for DockerTarget {
    fn id(&self) -> &TargetId {
        &self.handle.target
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            fronts: [PROXY.to_owned()].into(),
            disposable: [NETWORK.to_owned()].into(),
            fixed: [NETWORK.to_owned(), VOLUME.to_owned()].into(),
            ..Capabilities::default()
        }
    }

    async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        self.handle.world(services).await
    }

    async fn store(&self, cx: &Cx, release: &Release, payload: &Payload) -> Result<(), TargetError> {
        self.handle.agent().await?.store(cx.fence, &release.id, payload).await.map_err(agent_error)
    }

    async fn ensure(&self, cx: &Cx, workload: &WorkloadRef, count: Option<u32>) -> Result<(), TargetError> {
        let Some(count) = count else {
            return Err(TargetError::Rejected {
                why: "expected a count, but found none: this target owns no counts".into(),
            });
        };
        let definition = self.definition(workload).await?;
        let release = definition.release(workload.release.clone());
        self.handle.ensure(cx, workload, &release, &definition, count).await
    }

    async fn remove(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        self.handle.take_away(cx, workload, keep).await
    }

    fn prober(&self) -> &dyn Prober {
        &self.prober
    }

    async fn apply(&self, cx: &Cx, object: &Object) -> Result<(), TargetError> {
        self.handle.apply_object(cx, object).await
    }

    async fn delete(&self, cx: &Cx, object: &ObjectRef) -> Result<(), TargetError> {
        self.handle.delete_object(cx, object).await
    }

    async fn adopt(&self, cx: &Cx, _: LeaseEnd) -> Result<(), TargetError> {
        self.handle.take_over(cx).await
    }

    async fn discard(&self, cx: &Cx, release: &ReleaseId) -> Result<(), TargetError> {
        self.handle.agent().await?.discard(cx.fence, release).await.map_err(agent_error)
    }

    async fn prune(&self, cx: &Cx, service: &ServiceName, keep: usize) -> Result<(), TargetError> {
        self.handle.clear(cx, service, keep).await
    }

    fn watch(&self) -> BoxStream<'static, ()> {
        self.handle.changes()
    }

    fn warnings(&self) -> Vec<String> {
        self.handle.warnings.untold()
    }

    async fn logs(&self, instance: &Instance, lines: usize) -> Result<Vec<String>, TargetError> {
        let options = LogsOptions { stdout: true, stderr: true, tail: lines.to_string(), ..Default::default() };
        let frames = self.handle.docker().logs(&instance.name, Some(options)).map_ok(|frame| frame.into_bytes());
        let frames: Vec<_> = frames.try_collect().await.tried(|| format!("read the log of {}", instance.name))?;
        let text = frames.concat();
        Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
    }
}
