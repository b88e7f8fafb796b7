use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use deploy_core::lease::LeaseEnd;
use deploy_core::model::{
    Capabilities, Instance, Object, ObjectRef, Payload, Release, ReleaseId, ServiceName, TargetId, WorkloadRef, World,
};
use deploy_core::prober::Prober;
use deploy_core::target::{Cx, Target, TargetError};
use futures_util::future::try_join_all;
use futures_util::stream::BoxStream;

use crate::error::{agent, proxy, refused};
use crate::instance::{InstanceRecord, Phase};
use crate::payload::{LocalPayload, Stored};
use crate::prober::LocalProber;
use crate::proxies::Leave;
use crate::shared::Shared;
use crate::stop::Then;

/// Hands on processes of this machine.
///
/// Each change is made under the state folder's lock, and only while its fence is the newest: a deployer that was frozen
/// and wakes late finds its fence stale before it starts or ends anything.
pub(crate) struct LocalTarget {
    pub(crate) shared: Arc<Shared>,
    pub(crate) prober: LocalProber,
}

#[async_trait]
impl Target for LocalTarget {
    fn id(&self) -> &TargetId {
        &self.shared.target
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { fronts: ["proxy".to_owned()].into(), ..Capabilities::default() }
    }

    async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        self.shared.observe(services).await
    }

    async fn store(&self, cx: &Cx, release: &Release, payload: &Payload) -> Result<(), TargetError> {
        let stored = Stored { release: release.clone(), payload: LocalPayload::read(&release.id, payload)? };
        self.shared.agent.store(cx.fence, &release.id, &stored.text()?).await.map_err(agent)
    }

    async fn ensure(&self, cx: &Cx, workload: &WorkloadRef, count: Option<u32>) -> Result<(), TargetError> {
        let shared = &self.shared;
        shared.admit(cx).await?;
        let set = shared.set(workload).await?;
        let (mut asked, kept): (Vec<_>, Vec<_>) = set.iter().cloned().partition(|one| !one.is_kept());
        let count = count.map_or(asked.len(), |count| count as usize);
        let mut stopping = asked.split_off(asked.len().min(count));
        // a stop that was begun is ended first, as that process won't serve again
        stopping.extend(asked.iter().filter(|one| one.phase == Phase::Stopping).cloned());
        shared.stop_all(cx, &stopping, Then::Keep).await?;
        let new = (1..).filter(|ordinal| set.iter().all(|one| one.ordinal != *ordinal));
        let there = asked.iter().chain(&kept).map(|one| one.ordinal);
        let ordinals = there.chain(new).take(count);
        let runs = |one: &InstanceRecord| one.phase == Phase::Running && one.alive().is_some();
        let is_missing = |ordinal: &u32| !asked.iter().any(|one| one.ordinal == *ordinal && runs(one));
        let missing: Vec<_> = ordinals.filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let stored = Arc::new(self.stored(&workload.release).await?);
        try_join_all(missing.into_iter().map(|ordinal| shared.start(cx, workload, ordinal, &stored))).await.map(|_| ())
    }

    async fn remove(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        self.shared.admit(cx).await?;
        let set = self.shared.set(workload).await?;
        let then = if keep { Then::Keep } else { Then::Forget };
        self.shared.stop_all(cx, &set, then).await
    }

    fn prober(&self) -> &dyn Prober {
        &self.prober
    }

    async fn apply(&self, cx: &Cx, object: &Object) -> Result<(), TargetError> {
        known(&object.object)?;
        self.shared.apply_proxy(cx, object).await
    }

    async fn delete(&self, cx: &Cx, object: &ObjectRef) -> Result<(), TargetError> {
        known(object)?;
        self.shared.delete_proxy(cx, &ServiceName::new(object.name.clone()), Leave::Nothing).await
    }

    /// Late calls miss by themselves, as processes are only ever started and ended under the folder's lock; the proxies
    /// are told.
    async fn adopt(&self, cx: &Cx, _: LeaseEnd) -> Result<(), TargetError> {
        self.shared.held(cx.fence, Shared::settle).await?;
        for service in self.shared.proxied().map_err(refused)? {
            let record = self.shared.proxy_record(service.as_str()).map_err(refused)?;
            if record.is_some_and(|record| self.shared.proxy_process(&record).is_some()) {
                self.shared.proxy(&service).raise_fence(cx.fence).await.map_err(proxy)?;
            }
        }
        Ok(())
    }

    async fn discard(&self, cx: &Cx, release: &ReleaseId) -> Result<(), TargetError> {
        self.shared.agent.discard(cx.fence, release).await.map_err(agent)
    }

    async fn prune(&self, cx: &Cx, service: &ServiceName, keep: usize) -> Result<(), TargetError> {
        self.shared.prune(cx, service, keep).await
    }

    fn watch(&self) -> BoxStream<'static, ()> {
        self.shared.watch.stream()
    }

    async fn logs(&self, instance: &Instance, lines: usize) -> Result<Vec<String>, TargetError> {
        let path = self.shared.instances.log(&instance.name);
        match tail(&path, lines) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read.map_err(|error| TargetError::unreachable("the log", error)),
        }
    }
}

impl LocalTarget {
    /// What new instances of a release are started from.
    async fn stored(&self, id: &ReleaseId) -> Result<Stored, TargetError> {
        match self.shared.agent.load(id).await.map_err(agent)? {
            Some(payload) => Stored::read(id, &payload),
            None => Err(TargetError::Rejected {
                why: format!("the configuration of {id} isn't in the store; deploy it again with its definition"),
            }),
        }
    }
}

fn known(object: &ObjectRef) -> Result<(), TargetError> {
    match object.kind.as_str() {
        "proxy" => Ok(()),
        kind => Err(TargetError::Rejected { why: format!("this target knows no {kind}; it knows proxies") }),
    }
}

/// The last lines of a file, of its last 64 KiB.
fn tail(path: &Path, lines: usize) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(64 * 1024);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<_> = text.lines().collect();
    Ok(all.iter().skip(all.len().saturating_sub(lines)).map(|line| (*line).to_owned()).collect())
}
