use crate::{
    container::Container,
    handle::{Handle, proxy_error},
    routes::{routes, shares},
    shared::at_once,
};
use async_trait::async_trait;
use deploy_core::{
    model::{Millis, RouterId, ServiceName, Shares, WorkloadRef},
    router::{Router, Uptake},
    target::{Cx, TargetError},
};
use deploy_proxy::control::InstanceName;
use std::collections::{BTreeMap, BTreeSet};

/// How many instances are drained side by side: they are only waited for.
const DRAINS: usize = 64;

/// Sends requests through a proxy for each service.
#[derive(Debug)]
pub(crate) struct DockerRouter {
    handle: Handle,
    id: RouterId,
}

impl DockerRouter {
    pub(crate) fn new(handle: Handle) -> Self {
        let id = handle.router_id();
        Self { handle, id }
    }
}

/// The instances that shares may name, by their ordinals.
fn sets<'a>(shares: &Shares, all: &'a [Container]) -> BTreeMap<WorkloadRef, Vec<&'a Container>> {
    let set_of = |workload: &WorkloadRef| {
        let mut set: Vec<_> = all.iter().filter(|one| one.is_of(workload) && one.is_live()).collect();
        // of two with one ordinal, one is a late call's
        set.sort_by_key(|one| (one.ordinal(), std::cmp::Reverse(one.generation())));
        set.dedup_by_key(|one| one.ordinal());
        set
    };
    shares.iter().map(|share| (share.workload.clone(), set_of(&share.workload))).collect()
}

#[async_trait]
impl Router for DockerRouter {
    fn id(&self) -> &RouterId {
        &self.id
    }

    async fn route(&self, cx: &Cx, service: &ServiceName, from: &Shares, to: &Shares) -> Result<Uptake, TargetError> {
        let proxy = self.handle.proxy(service).await?;
        let state = proxy.routes().await.map_err(proxy_error)?;
        let found = shares(&state.routes)?;
        if found != *from && found != *to {
            return Err(TargetError::Conflict {
                expected: format!("requests for {service} sent: {from}"),
                found: format!("requests for {service} sent: {found}"),
            });
        }
        let all = self.handle.containers().await?;
        let wanted = routes(to, &sets(to, &all))?;
        // written again where nothing changes, so that the fence is raised
        let answer = proxy.set_routes(cx.fence, state.revision, Some(cx.deployment), wanted).await;
        answer.map_err(proxy_error)?;
        Ok(Uptake::Acknowledged)
    }

    async fn drain(&self, cx: &Cx, workload: &WorkloadRef, by: Millis) -> Result<Option<u64>, TargetError> {
        let proxy = self.handle.proxy(&workload.service).await?;
        let (stats, all) =
            tokio::try_join!(async { proxy.stats().await.map_err(proxy_error) }, self.handle.containers(),)?;
        let (receiving, leaving): (Vec<_>, Vec<_>) =
            stats.backends.into_iter().filter(|one| one.release == workload.release).partition(|one| one.receiving);
        let receiving: BTreeSet<_> = receiving.into_iter().map(|one| one.instance).collect();
        // one with nothing in flight is drained too: its idle connections are closed, or it may wait for them to end
        let there = all.iter().filter(|one| one.is_of(workload)).map(|one| InstanceName(one.short_id().to_owned()));
        let leaving: BTreeSet<_> = leaving.into_iter().map(|one| one.instance).chain(there).collect();
        let leaving = leaving.into_iter().filter(|instance| !receiving.contains(instance));
        let drains = leaving.map(|instance| proxy.drain(cx.fence, instance, by.duration()));
        let ended = at_once(DRAINS, drains).await.map_err(proxy_error)?;
        Ok(Some(ended.into_iter().map(|drained| drained.remaining + drained.closed).sum()))
    }
}
