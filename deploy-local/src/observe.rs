use std::collections::BTreeMap;
use std::sync::Arc;

use deploy_core::model::{Observed, ServiceName, Shares, World};
use deploy_core::target::TargetError;
use deploy_proxy::proxy::stored_routes;

use crate::error::{agent, proxy, refused};
use crate::instance::InstanceRecord;
use crate::router::shares;
use crate::shared::Shared;

impl Shared {
    /// Everything that concerns these services, read anew.
    pub(crate) async fn observe(self: &Arc<Self>, services: &[ServiceName]) -> Result<World, TargetError> {
        let mut world = World { workloads: self.workloads(services).await?, ..World::default() };
        for service in self.proxied().map_err(refused)? {
            let Some(record) = self.proxy_record(service.as_str()).map_err(refused)? else { continue };
            let runs = self.proxy_process(&record).is_some();
            if runs {
                // one that has ended is applied anew, and goes on with its routes
                world.objects.push(record.spec.object(&self.target, &service));
            }
            if services.contains(&service) {
                let shares = self.routed(&service, runs).await?;
                world.routes.entry(self.router.clone()).or_default().insert(service, shares);
            }
        }
        let of_these = |release: &str| {
            let service = release.rsplit_once('-').map_or(release, |(service, _)| service);
            services.iter().any(|wanted| wanted.as_str() == service)
        };
        let stored = self.agent.stored().await.map_err(agent)?;
        world.stored = stored.into_iter().filter(|release| of_these(release.as_str())).collect();
        Ok(world)
    }

    /// Who answers a service's requests; where its proxy doesn't run, who will when it does again.
    async fn routed(&self, service: &ServiceName, runs: bool) -> Result<Shares, TargetError> {
        if runs {
            return shares(&self.proxy(service).routes().await.map_err(proxy)?);
        }
        let stored = stored_routes(self.state.folder(), service.as_str());
        let stored = stored.map_err(|error| TargetError::unreachable(format!("the routes of {service}"), error))?;
        shares(&stored.unwrap_or_default())
    }

    async fn workloads(self: &Arc<Self>, services: &[ServiceName]) -> Result<Vec<Observed>, TargetError> {
        let mut sets: BTreeMap<_, Vec<InstanceRecord>> = BTreeMap::new();
        for record in self.records().await? {
            if services.contains(&record.workload.service) {
                sets.entry(record.workload.clone()).or_default().push(record);
            }
        }
        Ok(sets.into_values().filter_map(|set| self.observed(&set)).collect())
    }

    fn observed(&self, set: &[InstanceRecord]) -> Option<Observed> {
        let newest = set.iter().max_by_key(|record| (record.deployment, record.fence))?;
        for record in set {
            if let Some(process) = record.alive() {
                self.watch.add(process);
            }
        }
        let ends = self.ends();
        let reason = |process| ends.get(&process).cloned();
        Some(Observed {
            workload: newest.workload.clone(),
            release: newest.release.clone(),
            made_by: Some((newest.deployment, newest.step.clone())),
            fence: Some(newest.fence),
            asked: set.iter().filter(|record| !record.is_kept()).count() as u32,
            instances: set.iter().map(|record| record.observed(reason)).collect(),
        })
    }
}
