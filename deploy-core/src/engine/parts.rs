use crate::{
    health::Checks,
    journal::Journal,
    lease::Lease,
    model::RouterId,
    observer::{Notice, Observer, Progress},
    router::Router,
    target::Target,
};
use std::{collections::BTreeMap, sync::Arc};

/// Runs plans on one target, with its journal and its lease.
pub struct Engine {
    pub(super) target: Arc<dyn Target>,
    pub(super) routers: BTreeMap<RouterId, Arc<dyn Router>>,
    pub(super) lease: Arc<dyn Lease>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) checks: Checks,
    pub(super) observer: Observer,
    pub(super) holder: String,
}

/// Puts an engine together.
pub struct EngineBuilder(Engine);

impl Engine {
    /// Begins with what every engine needs.
    pub fn builder(target: Arc<dyn Target>, lease: Arc<dyn Lease>, journal: Arc<dyn Journal>) -> EngineBuilder {
        EngineBuilder(Self {
            target,
            routers: BTreeMap::new(),
            lease,
            journal,
            checks: Checks::default(),
            observer: Arc::new(|_| {}),
            holder: format!("process {}", std::process::id()),
        })
    }

    pub(super) fn tell(&self, progress: Progress) {
        (self.observer)(&Notice::Progress(progress));
    }
}

impl EngineBuilder {
    /// Adds what sends requests to the target's workloads.
    pub fn router(mut self, router: Arc<dyn Router>) -> Self {
        self.0.routers.insert(router.id().clone(), router);
        self
    }

    /// The checks that plans may name, in place of the built-in ones.
    pub fn checks(mut self, checks: Checks) -> Self {
        self.0.checks = checks;
        self
    }

    /// Who is told what happens.
    pub fn observer(mut self, observer: Observer) -> Self {
        self.0.observer = observer;
        self
    }

    /// What others are shown while we hold the lease: a person, a machine, a process.
    pub fn holder(mut self, holder: impl Into<String>) -> Self {
        self.0.holder = holder.into();
        self
    }

    /// The engine.
    pub fn build(self) -> Engine {
        self.0
    }
}
