//! What is there of ours.

use crate::{
    condition::condition,
    container::Container,
    error::if_there,
    handle::{Handle, agent_error, proxy_error},
    labels,
    routes::shares,
    shared::{Tried, at_once},
};
use deploy_core::{
    model::{Instance, InstanceState, Observed, ReleaseId, ServiceName, Shares, WorkloadRef, World},
    target::TargetError,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many containers are looked at side by side.
const LOOKS: usize = 8;

impl Handle {
    /// Everything of ours that concerns these services.
    pub(crate) async fn world(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        let containers = async {
            let all = self.containers().await?;
            let workloads = self.workloads(&all, services).await?;
            let routes = self.routes(&all, services).await?;
            Ok((workloads, routes, self.proxies(&all)))
        };
        let ((workloads, routes, proxies), networks, volumes, stored) =
            tokio::try_join!(containers, self.networks(), self.volumes(), self.stored())?;
        Ok(World {
            workloads,
            routes: BTreeMap::from([(self.router_id(), routes)]),
            objects: networks.into_iter().chain(volumes).chain(proxies).collect(),
            stored,
        })
    }

    async fn workloads(&self, all: &[Container], services: &[ServiceName]) -> Result<Vec<Observed>, TargetError> {
        let mut sets: BTreeMap<WorkloadRef, Vec<&Container>> = BTreeMap::new();
        for one in all.iter().filter(|one| one.kind() == labels::INSTANCE) {
            if let (Some(service), Some(release)) = (one.service(), one.release_id())
                && services.contains(&service)
            {
                sets.entry(self.workload(&service, &release)).or_default().push(one);
            }
        }
        let mut workloads = Vec::with_capacity(sets.len());
        for (workload, set) in sets {
            let mut instances = at_once(LOOKS, set.iter().map(|one| self.instance(one))).await?;
            instances.sort_by_key(|one| one.as_ref().map(|one| (one.ordinal, one.name.clone())));
            // one that was made and never started isn't asked for yet: a crash lies between
            let asked = set.iter().filter(|one| one.is_live()).count();
            let newest = set.iter().max_by_key(|one| one.made_by().map(|by| by.0));
            let Some(release) = newest.and_then(|one| one.release()) else { continue };
            workloads.push(Observed {
                workload,
                release,
                made_by: newest.and_then(|one| one.made_by()),
                fence: newest.and_then(|one| one.fence()),
                asked: u32::try_from(asked).unwrap_or(u32::MAX),
                instances: instances.into_iter().flatten().collect(),
            });
        }
        Ok(workloads)
    }

    async fn instance(&self, one: &Container) -> Result<Option<Instance>, TargetError> {
        let instance = |state, restarts| Instance { name: one.name.clone(), ordinal: one.ordinal(), state, restarts };
        if one.is_kept() {
            return Ok(Some(instance(InstanceState::Kept, 0)));
        }
        if one.is_new() {
            return Ok(Some(instance(InstanceState::Starting, 0)));
        }
        let found = if_there(self.docker().inspect_container(&one.id, None).await);
        let found = found.tried(|| format!("look at {}", one.name))?;
        Ok(found.map(|found| {
            let restarts = found.restart_count.and_then(|count| u32::try_from(count).ok()).unwrap_or_default();
            instance(condition(&found), restarts)
        }))
    }

    async fn routes(
        &self,
        all: &[Container],
        services: &[ServiceName],
    ) -> Result<BTreeMap<ServiceName, Shares>, TargetError> {
        let proxies = all.iter().filter(|one| one.kind() == labels::PROXY && one.is_up());
        let mut routes = BTreeMap::new();
        for service in proxies.filter_map(Container::service).filter(|service| services.contains(service)) {
            let state = self.proxy(&service).await?.routes().await.map_err(proxy_error)?;
            let shares = shares(&state.routes)?;
            routes.insert(service, shares);
        }
        Ok(routes)
    }

    async fn stored(&self) -> Result<BTreeSet<ReleaseId>, TargetError> {
        let stored = self.agent().await?.stored().await.map_err(agent_error)?;
        Ok(stored.into_iter().collect())
    }
}
