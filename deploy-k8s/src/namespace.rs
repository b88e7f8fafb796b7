use crate::{
    api::Api,
    connect::Cluster,
    objects::{Inventory, Kinds, Seals},
    prober::PodProber,
    releases::Releases,
    router::ServiceRouter,
    shared::Shared,
    state::{Held, KubeJournal, KubeLease, Store, TTL},
    target::KubeTarget,
    view::View,
};
use deploy_core::{
    engine::{Engine, EngineBuilder},
    journal::Journal,
    lease::Lease,
    model::{Millis, RouterId, TargetId},
    router::Router,
    target::Target,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// How a namespace is used.
#[derive(Clone, Debug)]
pub struct NamespaceOptions {
    /// What plans call it.
    pub target: Option<TargetId>,
    /// How long the lease holds unless it is renewed.
    pub ttl: Duration,
    /// How long the cluster's nodes may take to follow a Service: nobody can see it.
    pub settle: Duration,
}

impl Default for NamespaceOptions {
    /// Called as it is, a lease of 15 s, 5 s to settle.
    fn default() -> Self {
        Self { target: None, ttl: TTL.duration(), settle: Duration::from_secs(5) }
    }
}

/// A namespace: target, router, lease and journal of the services in it.
pub struct Namespace {
    pub(crate) shared: Arc<Shared>,
    target: Arc<KubeTarget>,
    router: Arc<ServiceRouter>,
    lease: Arc<KubeLease>,
}

impl Cluster {
    /// A namespace by its name. Sends nothing yet.
    pub fn open(&self, namespace: &str, options: &NamespaceOptions) -> Namespace {
        Namespace::of(self.api(namespace), options)
    }
}

impl Namespace {
    pub(crate) fn of(api: Api, options: &NamespaceOptions) -> Self {
        let view = Arc::new(View::new(api.clone()));
        let held = Arc::new(Held::default());
        let journal = Arc::new(KubeJournal::new(api.clone(), Arc::clone(&held)));
        let lease = KubeLease::new(api.clone(), Millis::from(options.ttl), Arc::clone(&held));
        let shared = Arc::new(Shared {
            target: options.target.clone().unwrap_or_else(|| TargetId::new(api.namespace())),
            router: RouterId::new("services"),
            releases: Releases::new(Store::new(api.clone()), Arc::clone(&held)),
            journal,
            inventory: Inventory::new(api.clone(), Arc::clone(&held)),
            held,
            kinds: Kinds::default(),
            seals: Seals::default(),
            disposable: Mutex::default(),
            meant: Default::default(),
            view: Arc::clone(&view),
            settle: options.settle,
            contents: Mutex::default(),
            api: api.clone(),
        });
        let target = KubeTarget { shared: Arc::clone(&shared), prober: PodProber { api, view } };
        let router = ServiceRouter { shared: Arc::clone(&shared) };
        Self { shared, target: Arc::new(target), router: Arc::new(router), lease: Arc::new(lease) }
    }

    /// Runs Deployments.
    pub fn target(&self) -> Arc<dyn Target> {
        self.target.clone()
    }

    /// Sends requests to them.
    pub fn router(&self) -> Arc<dyn Router> {
        self.router.clone()
    }

    /// Who may deploy here.
    pub fn lease(&self) -> Arc<dyn Lease> {
        self.lease.clone()
    }

    /// What was done here.
    pub fn journal(&self) -> Arc<dyn Journal> {
        self.shared.journal.clone()
    }

    /// An engine that deploys here.
    pub fn engine(&self) -> EngineBuilder {
        Engine::builder(self.target(), self.lease(), self.journal()).router(self.router())
    }
}
