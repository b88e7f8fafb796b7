use crate::shared::Shared;
use deploy_core::{
    model::{ServiceName, World},
    target::TargetError,
};

impl Shared {
    pub(super) async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        let mut world = World::default();
        for site in self.sites(services).await? {
            world.workloads.extend(site.observed(&self.target));
            let shares = site.shares(&self.target);
            world.routes.entry(self.router.clone()).or_default().insert(site.service, shares);
        }
        world.objects = self.applied().await?;
        world.stored = self.releases.of(services).await?.into_keys().collect();
        Ok(world)
    }
}
