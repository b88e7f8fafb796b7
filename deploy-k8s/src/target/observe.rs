use crate::shared::Shared;
use deploy_core::{
    model::{ServiceName, World},
    target::TargetError,
};

impl Shared {
    pub(super) async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        let mut world = self.observe_sets(services).await?;
        world.objects = self.applied().await?;
        Ok(world)
    }

    /// Without the objects, each of which is a request.
    pub(super) async fn observe_sets(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        let mut world = World::default();
        let (sites, known) = self.sites_and_known(services).await?;
        for site in sites {
            world.workloads.extend(site.observed(&self.target));
            let shares = site.shares(&self.target);
            world.routes.entry(self.router.clone()).or_default().insert(site.service, shares);
        }
        world.stored = known.into_keys().collect();
        Ok(world)
    }
}
