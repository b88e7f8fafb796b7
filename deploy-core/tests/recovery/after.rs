//! What a crash leaves, and what the next run makes of it.

use crate::site::{all_to, deploy, deploy_with, end, engine, release, request, spec, world};
use deploy_core::{
    engine::{Finish, Options},
    model::{Count, End, Object, ObjectRef, Payload},
    strategy::Rolling,
    target::Cx,
    testing::{
        Behaviour,
        faults::{CallKind, Fault, Faults},
        virtual_time,
    },
};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[test]
fn what_died_while_nobody_deployed_gets_no_requests() {
    virtual_time(async {
        let world = world();
        world.promise(&"web".into(), 2);
        world.behave(&"web-2".into(), Behaviour::dies_after(deploy_core::model::Millis::from_secs(5)));
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Route, Fault::CrashBefore);
        assert!(deploy_with(&world, &faults, spec(&world, "web-2", 2)).await.is_none());
        sleep(Duration::from_secs(60)).await;
        let finish = end(deploy(&engine(world.deployer()), spec(&world, "web-2", 2)).await);
        assert!(matches!(finish, End::RolledBack { .. }), "{finish:?}");
        assert_eq!(world.violations(), []);
        assert_eq!(world.shares(&"web".into()), all_to(&world, "web-1", 2));
    })
    .unwrap();
}

#[test]
fn a_rerun_with_another_count_comes_to_that_count() {
    virtual_time(async {
        let world = world();
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Route, Fault::CrashAfter);
        assert!(deploy_with(&world, &faults, spec(&world, "web-2", 2)).await.is_none());
        assert_eq!(end(deploy(&engine(world.deployer()), spec(&world, "web-2", 4)).await), End::Succeeded);
        assert_eq!(world.asked(&"web".into()), [("web-2".into(), 4)].into());
        assert_eq!(world.violations(), []);
    })
    .unwrap();
}

#[test]
fn what_a_killed_deployer_did_not_clear_is_cleared_by_the_same_command() {
    virtual_time(async {
        let world = world();
        for id in ["web-2", "web-3", "web-4"] {
            assert_eq!(end(deploy(&engine(world.deployer()), spec(&world, id, 2)).await), End::Succeeded);
        }
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Prune, Fault::CrashBefore);
        assert!(deploy_with(&world, &faults, spec(&world, "web-5", 2)).await.is_none());
        let target = world.deployer().target;
        let releases = async || target.observe(&["web".into()]).await.unwrap().workloads.len();
        assert_eq!(releases().await, 5);
        let again = deploy(&engine(world.deployer()), spec(&world, "web-5", 2)).await.unwrap();
        assert_eq!(again.finish, Finish::Unchanged);
        assert_eq!(releases().await, 4, "the one that serves and three that are kept");
        assert_eq!(world.violations(), []);
    })
    .unwrap();
}

#[test]
fn an_object_that_was_half_replaced_is_made_again() {
    virtual_time(async {
        let world = world();
        let object = |spec| Object {
            object: ObjectRef { target: "sim".into(), kind: "proxy".into(), name: "web".into() },
            spec,
        };
        let target = world.deployer().target;
        let lease = world.lease();
        let grant = deploy_core::lease::Lease::take(&*lease, "somebody").await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let cx = Cx { deployment: deploy_core::model::DeploymentId(0), step: "x".into(), fence: grant.fence, deadline };
        target.apply(&cx, &object(json!({ "port": 80 }))).await.unwrap();
        deploy_core::lease::Lease::free(&*lease, grant.fence).await.unwrap();

        let mut wanted = spec(&world, "web-2", 2);
        wanted.objects = vec![object(json!({ "port": 81 }))];
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Apply, Fault::CrashBefore);
        assert!(deploy_with(&world, &faults, wanted.clone()).await.is_none());
        // as if the old one had been taken away just before
        let grant = loop {
            match deploy_core::lease::Lease::take(&*lease, "somebody").await {
                Ok(grant) => break grant,
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        let cx = Cx { fence: grant.fence, deadline, ..cx };
        target.adopt(&cx, grant.before).await.unwrap();
        target.delete(&cx, &wanted.objects[0].object).await.unwrap();
        deploy_core::lease::Lease::free(&*lease, grant.fence).await.unwrap();

        assert_eq!(end(deploy(&engine(world.deployer()), wanted.clone()).await), End::Succeeded);
        assert_eq!(world.snapshot(&["web".into()]).objects, wanted.objects);
    })
    .unwrap();
}

#[test]
fn who_failed_to_adopt_leaves_it_to_the_next_one() {
    virtual_time(async {
        let world = world();
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Ensure, Fault::CrashBefore);
        assert!(deploy_with(&world, &faults, spec(&world, "web-2", 2)).await.is_none());
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Adopt, Fault::FailBefore);
        assert!(deploy_with(&world, &faults, spec(&world, "web-2", 2)).await.unwrap().is_err());
        assert!(faults.calls().iter().all(|call| call.kind != CallKind::Free), "nobody would adopt after that");
        assert_eq!(end(deploy(&engine(world.deployer()), spec(&world, "web-2", 2)).await), End::Succeeded);
        assert_eq!(world.violations(), []);
    })
    .unwrap();
}

#[test]
fn a_lease_is_not_given_back_while_a_dropped_call_may_have_its_effect() {
    virtual_time(async {
        let world = world();
        let mut both = request(spec(&world, "web-2", 2));
        let mut api = spec(&world, "api-2", 1);
        api.release.service = "api".into();
        api.count = Count::Exactly(1);
        both.payloads.insert("api-2".into(), Payload::new("configuration"));
        both.services.push(api);
        let faults = Faults::default();
        // while one service's containers are made, the other's outcome can't be written down
        faults.when(|call| call.kind == CallKind::Ensure && call.about == "web-2", Fault::HangBefore);
        faults.nth(8, |call| call.kind == CallKind::Append, Fault::FailBefore);
        let engine = engine(faults.wrap(world.deployer()));
        assert!(faults.run(engine.deploy(&both, &Rolling, &Options::default())).await.unwrap().is_err());
        assert!(faults.calls().iter().any(|call| call.kind == CallKind::Ensure), "{:?}", faults.calls());
        assert!(faults.calls().iter().all(|call| call.kind != CallKind::Free));
    })
    .unwrap();
}

#[test]
fn what_was_served_directly_comes_back_when_the_first_routed_release_fails() {
    virtual_time(async {
        let world = deploy_core::testing::SimWorld::new(deploy_core::testing::SimSettings::host());
        world.runs_unrouted(&release("web-1"), 2);
        world.behave(&"web-2".into(), Behaviour::never_healthy());
        let mut wanted = spec(&world, "web-2", 2);
        wanted.order = deploy_core::model::Order::StopFirst;
        let finish = end(deploy(&engine(world.deployer()), wanted).await);
        assert!(matches!(finish, End::RolledBack { .. }), "{finish:?}");
        assert_eq!(world.asked(&"web".into()), [("web-1".into(), 2)].into());
    })
    .unwrap();
}
