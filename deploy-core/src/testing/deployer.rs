use crate::{
    engine::{Engine, EngineBuilder},
    journal::Journal,
    lease::Lease,
    router::Router,
    target::Target,
};
use std::sync::Arc;

/// All that one deployer has in its hands: what a process connects to when it begins, and what is dropped with it.
#[derive(Clone)]
pub struct Deployer {
    /// Its hands.
    pub target: Arc<dyn Target>,
    /// What it moves traffic with.
    pub routers: Vec<Arc<dyn Router>>,
    /// Its way to the lease.
    pub lease: Arc<dyn Lease>,
    /// Its way to the journal.
    pub journal: Arc<dyn Journal>,
}

impl Deployer {
    /// An engine that works with these hands.
    pub fn engine(self) -> EngineBuilder {
        let builder = Engine::builder(self.target, self.lease, self.journal);
        self.routers.into_iter().fold(builder, EngineBuilder::router)
    }
}
