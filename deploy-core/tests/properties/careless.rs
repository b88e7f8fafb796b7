//! Careless users of a target, which the world must catch: without these the properties could hold of a world that looks
//! away.

use crate::case::release;
use async_trait::async_trait;
use deploy_core::{
    engine::{Finish, Options},
    lease::{Lease, LeaseEnd},
    model::{
        Batch, Capabilities, Clocks, Count, End, Instance, Millis, Named, Order, Pace, Payload, Release, ReleaseId,
        RouterId, ServiceName, ServiceSpec, Shares, TargetId, WorkloadRef, World,
    },
    prober::{Answer, Probe, ProbeError, Prober},
    router::{Router, Uptake},
    strategy::{BlueGreen, Strategy},
    target::{Cx, Target, TargetError},
    testing::{
        Behaviour, Breach, Deployer, SimSettings, SimWorld,
        loops::{Scene, SimScene},
        virtual_time,
    },
};
use std::sync::Arc;

/// Takes a route for taken up before it settles.
struct Hasty(Arc<dyn Router>);

#[async_trait]
impl Router for Hasty {
    fn id(&self) -> &RouterId {
        self.0.id()
    }

    async fn route(&self, cx: &Cx, service: &ServiceName, from: &Shares, to: &Shares) -> Result<Uptake, TargetError> {
        self.0.route(cx, service, from, to).await.map(|_| Uptake::Acknowledged)
    }

    async fn drain(&self, _: &Cx, _: &WorkloadRef, _: Millis) -> Result<Option<u64>, TargetError> {
        Ok(Some(0)) // and for drained at once
    }
}

/// Writes counts that aren't its own, believes every instance healthy, and adopts nothing.
struct Careless {
    inner: Arc<dyn Target>,
    counts: bool,
    prober: Option<Blind>,
}

struct Blind;

#[async_trait]
impl Prober for Blind {
    async fn probe(&self, _: &Instance, _: &Probe, _: Millis) -> Result<Answer, ProbeError> {
        Ok(Answer::Success)
    }
}

#[async_trait]
impl Target for Careless {
    fn id(&self) -> &TargetId {
        self.inner.id()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        self.inner.observe(services).await
    }

    async fn store(&self, cx: &Cx, release: &Release, payload: &Payload) -> Result<(), TargetError> {
        self.inner.store(cx, release, payload).await
    }

    async fn ensure(&self, cx: &Cx, workload: &WorkloadRef, count: Option<u32>) -> Result<(), TargetError> {
        self.inner.ensure(cx, workload, if self.counts { Some(5) } else { count }).await
    }

    async fn remove(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        self.inner.remove(cx, workload, keep).await
    }

    fn prober(&self) -> &dyn Prober {
        match &self.prober {
            Some(blind) => blind,
            None => self.inner.prober(),
        }
    }

    async fn replace(&self, cx: &Cx, workload: &WorkloadRef, from: &ReleaseId, pace: Pace) -> Result<(), TargetError> {
        self.inner.replace(cx, workload, from, pace).await
    }

    async fn adopt(&self, _: &Cx, _: LeaseEnd) -> Result<(), TargetError> {
        Ok(())
    }
}

fn careless(deployer: Deployer, counts: bool, blind: bool) -> Deployer {
    let prober = blind.then_some(Blind);
    Deployer { target: Arc::new(Careless { inner: deployer.target, counts, prober }), ..deployer }
}

fn hasty(deployer: Deployer) -> Deployer {
    let routers = deployer.routers.into_iter().map(|router| Arc::new(Hasty(router)) as Arc<dyn Router>);
    Deployer { routers: routers.collect(), ..deployer }
}

/// What a blue-green deployment of three instances breaks, by such a deployer.
fn breaches(settings: SimSettings, mutate: impl Fn(Deployer) -> Deployer) -> Vec<Breach> {
    virtual_time(async {
        let world = SimWorld::new(settings);
        world.runs(&release("web-1"), 3);
        world.promise(&"web".into(), 3);
        world.behave(&"web-2".into(), Behaviour { healthy: Some(Millis::from_secs(2)), ..Behaviour::GOOD });
        let strategy: &dyn Strategy = &BlueGreen;
        let owned = world.target().capabilities().owns_counts;
        let scene = SimScene::new(world.clone(), &BlueGreen, vec![spec(&world, owned)]);
        // somebody was here before, and is gone without a word
        world.lease().take("somebody").await.unwrap();
        let engine = mutate(world.deployer()).engine().build();
        let report = engine.deploy(&scene.request(), strategy, &Options::default()).await.unwrap();
        assert_eq!(report.finish, Finish::Ended(End::Succeeded));
        world.violations().into_iter().map(|violation| violation.breach).collect()
    })
    .unwrap()
}

fn spec(world: &SimWorld, owned: bool) -> ServiceSpec {
    ServiceSpec {
        release: release("web-2"),
        count: if owned { Count::Leave } else { Count::Exactly(3) },
        router: Some(world.router_id()),
        order: Order::StartFirst,
        batch: Batch::Size(1),
        check: Named::new("own", serde_json::json!({})),
        clocks: Clocks::default(),
        smoke: Vec::new(),
        bake: Millis::ZERO,
        drain_by: Millis::from_secs(10),
        stop_by: Millis::from_secs(10),
        needs: Vec::new(),
        lives_in: Vec::new(),
        objects: Vec::new(),
        keep_failed: false,
        notes: Vec::new(),
    }
}

#[test]
fn a_careful_deployer_breaks_nothing() {
    for settings in [SimSettings::host(), SimSettings::cluster()] {
        assert_eq!(breaches(settings, |deployer| deployer), []);
    }
}

#[test]
fn a_route_trusted_before_it_settles_is_caught() {
    let found = breaches(SimSettings::cluster(), hasty);
    assert!(found.iter().any(|breach| matches!(breach, Breach::LostRequests { .. })), "{found:?}");
}

#[test]
fn a_drain_that_is_not_waited_for_is_caught() {
    let found = breaches(SimSettings::host(), hasty);
    assert!(found.iter().any(|breach| matches!(breach, Breach::LostRequests { .. })), "{found:?}");
}

#[test]
fn a_count_of_somebody_else_is_caught() {
    let found = breaches(SimSettings::cluster(), |deployer| careless(deployer, true, false));
    assert!(found.iter().any(|breach| matches!(breach, Breach::ForeignCount { .. })), "{found:?}");
}

#[test]
fn traffic_to_what_nobody_saw_healthy_is_caught() {
    let found = breaches(SimSettings::host(), |deployer| careless(deployer, false, true));
    assert!(found.iter().any(|breach| matches!(breach, Breach::UnseenHealthy { .. })), "{found:?}");
}

#[test]
fn fewer_that_serve_than_promised_are_caught() {
    for settings in [SimSettings::host(), SimSettings::cluster()] {
        let found = breaches(settings, |deployer| careless(deployer, false, true));
        assert!(found.iter().any(|breach| matches!(breach, Breach::BelowPromise { .. })), "{found:?}");
    }
}

#[test]
fn a_change_before_adopting_is_caught() {
    for settings in [SimSettings::host(), SimSettings::cluster()] {
        let found = breaches(settings, |deployer| careless(deployer, false, false));
        assert!(found.iter().any(|breach| matches!(breach, Breach::Unadopted { .. })), "{found:?}");
    }
}
