use super::{
    instance::{SimInstance, Status},
    state::State,
};
use crate::model::{Observed, ServiceName, World};

impl State {
    /// What a target reports of these services.
    pub(super) fn observe(&self, services: &[ServiceName]) -> World {
        let sets = self.sets.iter().filter(|(workload, _)| services.contains(&workload.service));
        let workloads = sets.map(|(workload, set)| Observed {
            workload: workload.clone(),
            release: set.release.clone(),
            made_by: set.made_by.clone(),
            fence: set.fence,
            asked: match self.is_cluster() {
                true => set.spec,
                false => set.instances.iter().filter(|instance| instance.is_asked()).count() as u32,
            },
            instances: set
                .instances
                .iter()
                .filter(|instance| self.shows(instance))
                .map(|i| i.observe(self.now))
                .collect(),
        });
        let workloads = workloads.collect();
        let routes = self.routes.iter().filter(|(service, _)| services.contains(service));
        let routes = routes.map(|(service, shares)| (service.clone(), shares.clone())).collect();
        World {
            workloads,
            routes: [(self.router.clone(), routes)].into(),
            objects: self.objects.values().cloned().collect(),
            stored: self.stored.keys().cloned().collect(),
        }
    }

    /// A cluster doesn't count an instance that is on its way out.
    fn shows(&self, instance: &SimInstance) -> bool {
        let leaves = matches!(instance.status, Status::Stopping { .. }) || instance.leaves_at.is_some();
        !(self.is_cluster() && leaves)
    }
}
