//! Objects that take their time.

use crate::site::{all_to, deploy, deploy_with, end, engine, request, spec, world};
use deploy_core::{
    engine::{Finish, Interrupt, Options},
    model::{DeploymentId, End, Millis, Object, ObjectRef, ServiceSpec, StepId},
    strategy::Rolling,
    target::Cx,
    testing::{
        SimWorld,
        faults::{CallKind, Fault, Faults},
        virtual_time,
    },
};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// `web-2`, which stands on a database of such a health.
fn standing_on(world: &SimWorld, health: &str) -> ServiceSpec {
    let object = ObjectRef { target: "sim".into(), kind: "database".into(), name: "shop".into() };
    let mut spec = spec(world, "web-2", 2);
    spec.objects = vec![Object { object, spec: json!({ "health": health }) }];
    spec.clocks.healthy_by = Millis::from_secs(20);
    spec
}

fn why(end: End) -> String {
    match end {
        End::RolledBack { why } => why,
        other => panic!("expected a way back, but found {other:?}"),
    }
}

/// All is as it was, and nothing of `web-2` was ever started.
fn is_untouched(world: &SimWorld) {
    assert_eq!(world.violations(), []);
    assert_eq!(world.shares(&"web".into()), all_to(world, "web-1", 2));
    assert_eq!(world.asked(&"web".into()), [("web-1".into(), 2)].into());
    assert!(world.snapshot(&["web".into()]).objects.is_empty());
}

#[test]
fn what_certainly_will_not_come_true_ends_it_at_once() {
    virtual_time(async {
        let world = world();
        let began = Instant::now();
        let why = why(end(deploy(&engine(world.deployer()), standing_on(&world, "unhealthy")).await));
        assert!(why.contains("it is broken"), "{why}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        is_untouched(&world);
    })
    .unwrap();
}

#[test]
fn what_may_still_come_true_is_waited_for_until_the_deadline() {
    virtual_time(async {
        let world = world();
        let began = Instant::now();
        let why = why(end(deploy(&engine(world.deployer()), standing_on(&world, "waiting")).await));
        assert!(why.contains("expected it within 20 s, but found: it isn't up yet"), "{why}");
        assert!(began.elapsed() >= Duration::from_secs(20), "{:?}", began.elapsed());
        is_untouched(&world);
    })
    .unwrap();
}

#[test]
fn what_was_broken_before_keeps_nobody_from_going_back() {
    virtual_time(async {
        let world = world();
        let mut before = standing_on(&world, "unhealthy").objects.remove(0);
        before.spec["since"] = json!("ever");
        let deployer = world.deployer();
        let fence = deployer.lease.take("a person").await.unwrap().fence;
        let deadline = Instant::now() + Duration::from_secs(60);
        let cx = Cx { deployment: DeploymentId(1), step: StepId::new("by hand"), fence, deadline };
        deployer.target.apply(&cx, &before).await.unwrap();
        deployer.lease.free(fence).await.unwrap();
        let why = why(end(deploy(&engine(world.deployer()), standing_on(&world, "unhealthy")).await));
        assert!(why.contains("it is broken"), "{why}");
        assert_eq!(world.snapshot(&["web".into()]).objects, [before]);
        assert_eq!(world.shares(&"web".into()), all_to(&world, "web-1", 2));
    })
    .unwrap();
}

#[test]
fn a_person_who_interrupts_does_not_wait_for_it() {
    virtual_time(async {
        let world = world();
        let interrupt = Interrupt::default();
        let options = Options { interrupt: interrupt.clone(), ..Options::default() };
        let (request, began) = (request(standing_on(&world, "waiting")), Instant::now());
        let engine = engine(world.deployer());
        let (report, ()) = tokio::join!(engine.deploy(&request, &Rolling, &options), async {
            sleep(Duration::from_secs(5)).await;
            interrupt.go_back();
        });
        assert!(matches!(report.unwrap().finish, Finish::Ended(End::RolledBack { .. })));
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        is_untouched(&world);
    })
    .unwrap();
}

#[test]
fn it_is_looked_at_again_after_a_crash_and_where_nobody_answers() {
    virtual_time(async {
        let world = world();
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Look, Fault::CrashBefore);
        assert!(deploy_with(&world, &faults, standing_on(&world, "unhealthy")).await.is_none());
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Look, Fault::FailBefore);
        let again = deploy_with(&world, &faults, standing_on(&world, "unhealthy")).await.unwrap();
        assert!(why(end(again)).contains("it is broken"));
        is_untouched(&world);
    })
    .unwrap();
}
