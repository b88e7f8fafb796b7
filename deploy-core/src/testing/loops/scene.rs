use crate::{
    engine::{Options, Request},
    model::{Millis, Payload, ServiceSpec},
    strategy::Strategy,
    testing::{Deployer, SimWorld},
};
use async_trait::async_trait;

/// One world, with a deployment that is to be made there. Each round of a loop begins with a new one, always the same.
#[async_trait]
pub trait Scene: Send + Sync {
    /// One more deployer, as another process would connect.
    ///
    /// # Errors
    /// Why it couldn't, for people.
    async fn deployer(&self) -> Result<Deployer, String>;

    /// What is deployed.
    fn request(&self) -> Request;

    /// By which strategy.
    fn strategy(&self) -> &dyn Strategy;

    /// What is deployed after a crash in the middle of [`request`](Self::request), for [`Then::Another`](super::Then): the
    /// same services, other releases.
    fn another(&self) -> Option<Request> {
        None
    }

    /// What ran before, for [`Then::Earlier`](super::Then): the same services, their earlier releases.
    fn earlier(&self) -> Option<Request> {
        None
    }

    /// How it is gone about.
    fn options(&self) -> Options {
        Options::default()
    }

    /// The promises that were broken so far, for people: requests lost, instances left over.
    ///
    /// # Errors
    /// Why that couldn't be seen, for people.
    async fn complaints(&self) -> Result<Vec<String>, String>;

    /// How long a run may take until it counts as hung.
    fn patience(&self) -> Millis {
        Millis::from_secs(3600)
    }
}

/// A scene in a simulated world.
pub struct SimScene {
    world: SimWorld,
    services: Vec<ServiceSpec>,
    another: Vec<ServiceSpec>,
    earlier: Vec<ServiceSpec>,
    strategy: &'static dyn Strategy,
}

impl SimScene {
    /// Deploys these services there.
    pub fn new(world: SimWorld, strategy: &'static dyn Strategy, services: Vec<ServiceSpec>) -> Self {
        Self { world, services, another: Vec::new(), earlier: Vec::new(), strategy }
    }

    /// Deploys those, after a crash in the middle of the first.
    pub fn or(self, another: Vec<ServiceSpec>) -> Self {
        Self { another, ..self }
    }

    /// These ran before.
    pub fn after(self, earlier: Vec<ServiceSpec>) -> Self {
        Self { earlier, ..self }
    }

    /// The world.
    pub fn world(&self) -> &SimWorld {
        &self.world
    }
}

fn request(services: &[ServiceSpec]) -> Request {
    let payloads = services.iter().map(|spec| (spec.release.id.clone(), Payload::new("configuration")));
    Request { services: services.to_vec(), payloads: payloads.collect() }
}

#[async_trait]
impl Scene for SimScene {
    async fn deployer(&self) -> Result<Deployer, String> {
        Ok(self.world.deployer())
    }

    fn request(&self) -> Request {
        request(&self.services)
    }

    fn strategy(&self) -> &dyn Strategy {
        self.strategy
    }

    fn another(&self) -> Option<Request> {
        (!self.another.is_empty()).then(|| request(&self.another))
    }

    fn earlier(&self) -> Option<Request> {
        (!self.earlier.is_empty()).then(|| request(&self.earlier))
    }

    async fn complaints(&self) -> Result<Vec<String>, String> {
        // what the deployer left under way comes to its end
        tokio::time::sleep(Millis::from_secs(30).duration()).await;
        Ok(self.world.violations().iter().map(ToString::to_string).collect())
    }
}
