//! Waits that end, and watches that don't.

use crate::site::{deploy, deploy_with, end, engine, release, spec, world};
use async_trait::async_trait;
use deploy_core::{
    engine::EngineError,
    lease::{Lease, LeaseError},
    model::{Capabilities, End, Millis, Payload, Release, ServiceName, TargetId, WorkloadRef, World},
    prober::Prober,
    target::{Cx, Target, TargetError},
    testing::{
        Behaviour, Deployer, SimSettings, SimWorld,
        faults::{CallKind, Fault, Faults},
        virtual_time,
    },
};
use futures_util::stream::{self, BoxStream, StreamExt};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::time::{sleep, timeout};

#[test]
fn a_journal_that_never_answers_stops_the_engine() {
    for kind in [CallKind::Append, CallKind::Deployments, CallKind::Take, CallKind::Observe, CallKind::Free] {
        virtual_time(async {
            let world = world();
            let faults = Faults::default();
            faults.when(move |call| call.kind == kind, Fault::HangBefore);
            let run = timeout(Duration::from_secs(600), deploy_with(&world, &faults, spec(&world, "web-2", 2)));
            assert_eq!(run.await.unwrap().unwrap().is_ok(), kind == CallKind::Free, "{kind:?}");
        })
        .unwrap();
    }
}

/// The lease of a deployer that slept, or whose keeper doesn't answer, ends though nobody else is there.
#[test]
fn who_lost_the_lease_to_nobody_is_told_so() {
    let asleep: (CallKind, Fault) = (CallKind::Ensure, Fault::Freeze(Millis::from_secs(60)));
    for (kind, fault) in [asleep, (CallKind::Renew, Fault::HangBefore), (CallKind::Renew, Fault::FailBefore)] {
        virtual_time(async {
            let world = world();
            let faults = Faults::default();
            faults.when(move |call| call.kind == kind, fault);
            let mut slow = spec(&world, "web-2", 2);
            slow.bake = Millis::from_secs(60);
            let error = deploy_with(&world, &faults, slow).await.unwrap().unwrap_err();
            assert!(matches!(error, EngineError::LeaseEnded { .. }), "{fault:?}: {error:?}");
            let said = error.to_string();
            assert!(said.contains("its lease ended") && !said.contains("taken over"), "{said}");
            let end = end(deploy(&engine(world.deployer()), spec(&world, "web-2", 2)).await);
            assert!(matches!(end, End::Succeeded), "{end:?}");
        })
        .unwrap();
    }
}

#[test]
fn a_slow_look_at_the_world_costs_no_lease() {
    virtual_time(async {
        let world = world();
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Observe, Fault::Late(Millis::from_secs(40)));
        faults.once(|call| call.kind == CallKind::Prune, Fault::Late(Millis::from_secs(40)));
        let run = deploy_with(&world, &faults, spec(&world, "web-2", 2));
        let somebody_else = async {
            for _ in 0..7 {
                sleep(Duration::from_secs(10)).await;
                let taken = world.lease().take("somebody else").await;
                assert!(matches!(taken, Err(LeaseError::Held { .. })), "{taken:?}");
            }
        };
        let (report, ()) = tokio::join!(run, somebody_else);
        assert_eq!(end(report.unwrap()), End::Succeeded);
        assert_eq!(world.violations(), []);
    })
    .unwrap();
}

/// A target that tells of changes by a stream of its own.
struct Watching {
    inner: Arc<dyn Target>,
    looks: AtomicU32,
    changes: fn() -> BoxStream<'static, ()>,
}

#[async_trait]
impl Target for Watching {
    fn id(&self) -> &TargetId {
        self.inner.id()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.inner.observe(services).await
    }

    async fn store(&self, cx: &Cx, release: &Release, payload: &Payload) -> Result<(), TargetError> {
        self.inner.store(cx, release, payload).await
    }

    async fn ensure(&self, cx: &Cx, workload: &WorkloadRef, count: Option<u32>) -> Result<(), TargetError> {
        self.inner.ensure(cx, workload, count).await
    }

    async fn remove(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        self.inner.remove(cx, workload, keep).await
    }

    fn prober(&self) -> &dyn Prober {
        self.inner.prober()
    }

    fn watch(&self) -> BoxStream<'static, ()> {
        (self.changes)()
    }
}

fn watching(deployer: Deployer, changes: fn() -> BoxStream<'static, ()>) -> (Deployer, Arc<Watching>) {
    let target = Arc::new(Watching { inner: deployer.target.clone(), looks: AtomicU32::new(0), changes });
    (Deployer { target: target.clone(), ..deployer }, target)
}

#[test]
fn a_watch_that_ends_or_never_rests_is_no_reason_to_look_without_a_pause() {
    let ended: fn() -> BoxStream<'static, ()> = || stream::empty().boxed();
    let restless: fn() -> BoxStream<'static, ()> = || stream::repeat(()).boxed();
    for (changes, most) in [(ended, 60), (restless, 400)] {
        virtual_time(async {
            let world = world();
            world.behave(&"web-2".into(), Behaviour::never_healthy());
            let (deployer, target) = watching(world.deployer(), changes);
            end(deploy(&engine(deployer), spec(&world, "web-2", 2)).await);
            let looks = target.looks.load(Ordering::Relaxed);
            assert!(looks < most, "{looks} looks in 3 s");
        })
        .unwrap();
    }
}

#[test]
fn a_guard_counts_failures_by_its_interval_however_often_it_looks() {
    virtual_time(async {
        let world = world();
        // unhealthy for less than two of the guard's intervals
        let mut spec = spec(&world, "web-2", 2);
        spec.bake = Millis::from_secs(4);
        spec.clocks.interval = Millis(1500);
        world.behave(
            &release("web-2").id,
            Behaviour { dies: Some(Millis(2200)), restarts: Some(Millis(100)), ..Behaviour::GOOD },
        );
        let (deployer, _) = watching(world.deployer(), || stream::repeat(()).boxed());
        assert_eq!(end(deploy(&engine(deployer), spec).await), End::Succeeded);
    })
    .unwrap();
}

#[test]
fn an_instance_that_is_added_in_a_bake_may_take_its_time() {
    virtual_time(async {
        let world = SimWorld::new(SimSettings::cluster());
        world.runs(&release("web-1"), 2);
        let mut spec = spec(&world, "web-2", 2);
        spec.bake = Millis::from_secs(10);
        // longer than three of the guard's intervals
        world.behave(&release("web-2").id, Behaviour { healthy: Some(Millis::from_secs(2)), ..Behaviour::GOOD });
        world.counts(&"web".into(), Millis::from_secs(6), 3);
        assert_eq!(end(deploy(&engine(world.deployer()), spec).await), End::Succeeded);
        assert_eq!(world.asked(&"web".into()), [("web-2".into(), 3)].into());
    })
    .unwrap();
}

#[test]
fn an_instance_that_is_lost_in_a_bake_is_noticed_beside_an_added_one() {
    virtual_time(async {
        let world = SimWorld::new(SimSettings::cluster());
        world.runs(&release("web-1"), 2);
        let mut spec = spec(&world, "web-2", 2);
        spec.bake = Millis::from_secs(10);
        let good = Behaviour { healthy: Some(Millis(500)), ..Behaviour::GOOD };
        world.behave(&release("web-2").id, good);
        let slow = Behaviour { healthy: Some(Millis::from_secs(60)), ..good };
        world.behave_one(
            &release("web-2").id,
            1,
            Behaviour { dies: Some(Millis::from_secs(7)), restarts: Some(Millis::from_secs(3)), ..good },
        );
        world.behave_one(&release("web-2").id, 3, slow);
        world.counts(&"web".into(), Millis::from_secs(4), 3);
        let end = end(deploy(&engine(world.deployer()), spec).await);
        assert!(matches!(end, End::RolledBack { .. }), "{end:?}");
    })
    .unwrap();
}
