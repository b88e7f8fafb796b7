use super::{SimWorld, state::State};
use crate::{
    model::{Millis, RouterId, ServiceName, Shares, WorkloadRef},
    router::{Router, Uptake},
    target::{Cx, TargetError},
};
use async_trait::async_trait;

/// What moves traffic in a [`SimWorld`]: acknowledged and counted on a host, unseen in a cluster.
///
/// An instance that is created in a workload which is routed already gets traffic once it was seen healthy. A cluster never
/// sends traffic to what its own test hasn't found ready: a route that comes too early leaves too few that serve.
#[derive(Debug)]
pub struct SimRouter {
    world: SimWorld,
    id: RouterId,
}

impl SimRouter {
    pub(super) fn new(world: SimWorld) -> Self {
        Self { id: world.router_id(), world }
    }
}

#[async_trait]
impl Router for SimRouter {
    fn id(&self) -> &RouterId {
        &self.id
    }

    async fn route(&self, cx: &Cx, service: &ServiceName, from: &Shares, to: &Shares) -> Result<Uptake, TargetError> {
        let cause = format!("send requests for {service}: {to} (step {}, {})", cx.step, cx.fence);
        self.world.call(cause, |state| state.route(cx, service, from, to)).await
    }

    async fn drain(&self, cx: &Cx, workload: &WorkloadRef, by: Millis) -> Result<Option<u64>, TargetError> {
        let cause = format!("drain {} (step {}, {})", workload.release, cx.step, cx.fence);
        if self.world.look().is_cluster() {
            return self.world.call(cause, |_| Ok(None)).await;
        }
        self.world.travel().await;
        let deadline = tokio::time::Instant::now() + by.duration();
        let left = |state: &State| state.in_flight(workload);
        loop {
            let Some((longest, _)) = left(&self.world.look()) else { return Ok(Some(0)) };
            let over = tokio::time::Instant::now() >= deadline;
            if over {
                let end = |state: &mut State| {
                    let requests = state.in_flight(workload).map_or(0, |(_, requests)| requests);
                    state.end_requests(workload);
                    Ok(Some(requests))
                };
                return self.world.call(cause, end).await;
            }
            let quiet = tokio::time::Instant::now() + longest.duration();
            tokio::time::sleep_until(quiet.min(deadline)).await;
        }
    }
}
