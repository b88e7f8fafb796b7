use super::{SimProber, SimWorld, hands::PROXY, instance::Status, state::State};
use crate::{
    health::Health,
    lease::LeaseEnd,
    model::{
        Awaited, Capabilities, Instance, Object, ObjectRef, Pace, Payload, Release, ReleaseId, ServiceName, TargetId,
        WorkloadRef, World,
    },
    prober::Prober,
    target::{Cx, Look, Target, TargetError},
};
use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};

const DEFINITION: &str = "definition";
const DATABASE: &str = "database";

/// A deployer's hands in a [`SimWorld`].
///
/// On a host it works instance by instance, so that a call that is dropped halfway leaves half of it. In a cluster it
/// writes what is asked for, and the controller does the rest.
///
/// Objects are of any kind. The `proxy` of a service is what its requests come through where it is there: then the service
/// is lost without it, and neither it nor what is [reached directly](SimWorld::direct) can be started beside the other. A `network` is disposable. A
/// `database` and a `definition` take their time: they have come true unless their `health` is `waiting` or `unhealthy`.
#[derive(Debug)]
pub struct SimTarget {
    world: SimWorld,
    id: TargetId,
    prober: SimProber,
}

impl SimTarget {
    pub(super) fn new(world: SimWorld) -> Self {
        let id = world.look().target.clone();
        Self { prober: SimProber::new(world.clone()), id, world }
    }

    async fn change<R>(
        &self,
        cx: &Cx,
        what: String,
        change: impl FnOnce(&mut State) -> Result<R, TargetError> + Send,
    ) -> Result<R, TargetError> {
        self.world.call(format!("{what} (step {}, {})", cx.step, cx.fence), change).await
    }

    /// Until the set's instances that were told to stop have stopped.
    async fn stopped(&self, workload: &WorkloadRef) {
        let mut changes = self.world.subscribe();
        let stops = |state: &State| {
            let set = state.sets.get(workload);
            set.is_some_and(|set| set.instances.iter().any(|i| matches!(i.status, Status::Stopping { .. })))
        };
        while stops(&self.world.look()) {
            self.world.changed(&mut changes).await;
        }
    }
}

#[async_trait]
impl Target for SimTarget {
    fn id(&self) -> &TargetId {
        &self.id
    }

    fn capabilities(&self) -> Capabilities {
        let cluster = self.world.look().is_cluster();
        Capabilities {
            replaces: cluster,
            owns_counts: cluster,
            fronts: [PROXY.into()].into(),
            disposable: ["network".into()].into(),
            fixed: Default::default(),
            awaited: [(DEFINITION.into(), Awaited::ByObjects), (DATABASE.into(), Awaited::ByServices)].into(),
        }
    }

    async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        self.world.travel().await;
        Ok(self.world.snapshot(services))
    }

    async fn store(&self, cx: &Cx, release: &Release, _: &Payload) -> Result<(), TargetError> {
        self.change(cx, format!("store {}", release.id), |state| state.store(cx, release)).await
    }

    async fn ensure(&self, cx: &Cx, workload: &WorkloadRef, count: Option<u32>) -> Result<(), TargetError> {
        let many = count.map_or("as many as there are".into(), |count| count.to_string());
        let what = format!("ensure {many} of {}", workload.release);
        if self.world.look().is_cluster() {
            return self.change(cx, what, |state| state.ask(cx, workload, count)).await;
        }
        let count = count.ok_or_else(|| TargetError::Rejected {
            why: format!("nobody but the deployer counts on a host; say how many of {}", workload.release),
        })?;
        self.stopped(workload).await;
        while !self.change(cx, what.clone(), |state| state.one_nearer(cx, workload, count)).await? {}
        self.stopped(workload).await;
        Ok(())
    }

    async fn remove(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        let what = if keep { "stop and keep" } else { "remove" };
        self.change(cx, format!("{what} {}", workload.release), |state| state.remove(cx, workload, keep)).await?;
        self.stopped(workload).await;
        Ok(())
    }

    fn prober(&self) -> &dyn Prober {
        &self.prober
    }

    async fn replace(&self, cx: &Cx, workload: &WorkloadRef, from: &ReleaseId, pace: Pace) -> Result<(), TargetError> {
        if !self.capabilities().replaces {
            return Err(TargetError::Rejected { why: "a host replaces nothing in place; use another strategy".into() });
        }
        let what = format!("replace {from} by {}", workload.release);
        self.change(cx, what, |state| state.replace(cx, workload, from, pace)).await
    }

    async fn apply(&self, cx: &Cx, object: &Object) -> Result<(), TargetError> {
        let what = format!("apply {}", object.object);
        self.change(cx, what, |state| state.apply(cx, object)).await
    }

    async fn delete(&self, cx: &Cx, object: &ObjectRef) -> Result<(), TargetError> {
        self.change(cx, format!("delete {object}"), |state| state.delete(cx, object)).await
    }

    async fn look(&self, _: &Cx, object: &ObjectRef) -> Result<Look, TargetError> {
        self.world.travel().await;
        let state = self.world.look();
        let health = match state.objects.get(object).map(|there| there.spec["health"].as_str()) {
            None => Health::Waiting(format!("there is no {object}")),
            Some(Some("waiting")) => Health::Waiting("it isn't up yet".into()),
            Some(Some("unhealthy")) => Health::Unhealthy("it is broken".into()),
            Some(_) => Health::Healthy,
        };
        Ok(Look { health, instance: None })
    }

    async fn adopt(&self, cx: &Cx, before: LeaseEnd) -> Result<(), TargetError> {
        self.change(cx, "adopt".into(), |state| state.adopt(cx, before)).await
    }

    async fn discard(&self, cx: &Cx, release: &ReleaseId) -> Result<(), TargetError> {
        self.change(cx, format!("discard {release}"), |state| state.discard(cx, release)).await
    }

    async fn prune(&self, cx: &Cx, service: &ServiceName, keep: usize) -> Result<(), TargetError> {
        self.change(cx, format!("prune {service}"), |state| state.prune(cx, service, keep)).await
    }

    fn watch(&self) -> BoxStream<'static, ()> {
        let world = self.world.clone();
        let changes = world.subscribe();
        stream::unfold((world, changes), |(world, mut changes)| async move {
            world.changed(&mut changes).await;
            Some(((), (world, changes)))
        })
        .boxed()
    }

    async fn logs(&self, instance: &Instance, lines: usize) -> Result<Vec<String>, TargetError> {
        self.world.travel().await;
        let state = self.world.look();
        let found = state.sets.values().find_map(|set| {
            let instance = set.instances.iter().find(|there| there.name == instance.name)?;
            Some(instance.log(&set.release, state.now))
        });
        let log = found.unwrap_or_default();
        Ok(log[log.len().saturating_sub(lines)..].to_vec())
    }
}
