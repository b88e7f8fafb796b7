//! Plans for what people may find or want.

use crate::site::{all_to, engine, release, request, spec, world};
use deploy_core::{
    engine::{EngineError, Options},
    model::{Batch, Count, End, Millis, Named, OnFailure, Op, PlanError, Undo},
    rollback::{Rollback, Unwind},
    strategy::{Rolling, Strategy},
    testing::{
        Behaviour,
        faults::{CallKind, Fault, Faults},
        virtual_time,
    },
};
use serde_json::json;

#[test]
fn nothing_is_watched_where_nothing_runs() {
    virtual_time(async {
        let world = world();
        let mut none = spec(&world, "web-2", 0);
        none.bake = Millis::from_secs(60);
        let plan = engine(world.deployer()).plan(&[none], &Rolling).await.unwrap();
        assert_eq!(plan.guards, []);
    })
    .unwrap();
}

#[test]
fn a_service_that_a_router_answers_for_is_not_started_beside_it() {
    virtual_time(async {
        let world = world();
        let direct = deploy_core::model::ServiceSpec { router: None, ..spec(&world, "web-2", 2) };
        let plan = engine(world.deployer()).plan(&[direct], &Rolling).await;
        assert!(matches!(plan, Err(EngineError::Plan(PlanError::Unsuitable { .. }))), "{plan:?}");
    })
    .unwrap();
}

#[test]
fn a_way_back_that_cannot_be_gone_is_refused_before_anything_changes() {
    virtual_time(async {
        let world = world();
        let engine = engine(world.deployer());
        let mut plan = engine.plan(&[spec(&world, "web-2", 2)], &Rolling).await.unwrap();
        let stop = plan.steps.iter_mut().find(|step| step.id.as_str() == "web/stop").unwrap();
        let Undo::Do { ops } = &mut stop.undo else { panic!("{:?}", stop.undo) };
        for op in ops {
            if let Op::Check { check, .. } = op {
                *check = Named::new("nobody registered it", json!({}));
            }
        }
        let payloads = request(spec(&world, "web-2", 2)).payloads;
        let refused = engine.run_plan(plan, &payloads, &Options::default()).await;
        assert!(matches!(refused, Err(EngineError::Check(_))), "{refused:?}");
        assert_eq!(world.shares(&"web".into()), all_to(&world, "web-1", 2));
    })
    .unwrap();
}

#[test]
fn going_back_has_the_time_that_its_ops_take() {
    virtual_time(async {
        let world = world();
        let mut slow = spec(&world, "web-2", 2);
        (slow.stop_by, slow.drain_by) = (Millis::from_secs(300), Millis::from_secs(200));
        world.behave(&"web-2".into(), Behaviour { stops: Millis::from_secs(250), ..Behaviour::GOOD });
        let faults = Faults::default();
        faults.when(|call| call.kind == CallKind::Remove && call.about == "web-1", Fault::CrashBefore);
        assert!(crate::site::deploy_with(&world, &faults, slow).await.is_none());
        let report = engine(world.deployer()).abort(&Options::default()).await.unwrap();
        assert!(matches!(report.finish, deploy_core::engine::Finish::Ended(End::RolledBack { .. })), "{report:?}");
    })
    .unwrap();
}

#[test]
fn no_end_of_an_old_release_takes_the_new_one_away() {
    virtual_time(async {
        let world = world();
        world.runs_unrouted(&release("web-0"), 1);
        let plan = engine(world.deployer()).plan(&[spec(&world, "web-2", 2)], &Rolling).await.unwrap();
        let stops = plan.steps.iter().filter(|step| step.id.as_str().starts_with("web/stop"));
        let policies: Vec<_> = stops.map(|step| step.on_failure).collect();
        assert_eq!(policies, [OnFailure::Halt, OnFailure::Halt]);
    })
    .unwrap();
}

#[test]
fn counts_may_be_large() {
    virtual_time(async {
        let world = world();
        let mut many = spec(&world, "web-2", u32::MAX);
        (many.count, many.batch) = (Count::Exactly(u32::MAX), Batch::Size(u32::MAX / 2));
        engine(world.deployer()).plan(&[many], &Rolling).await.unwrap();
        assert_eq!((Rolling.name(), Unwind.name()), ("rolling", "unwind"));
    })
    .unwrap();
}
