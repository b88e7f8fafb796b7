//! What a deployment says at its end is true.

use crate::site::{deploy, deploy_with, end, engine, release, request, spec, world};
use deploy_core::{
    engine::{EngineError, Interrupt, Options},
    model::{DeploymentId, End, Event, Millis, Outcome, Payload, Plan, Undo},
    observer::Notice,
    strategy::Rolling,
    target::Cx,
    testing::{
        Behaviour, SimWorld,
        faults::{CallKind, Fault, Faults},
        virtual_time,
    },
};
use std::sync::Arc;
use tokio::time::{Instant, sleep};

/// A deployment of `web-1` as it runs, which a person takes back once that step has ended.
async fn taken_back_after(world: &SimWorld, step: &'static str) -> End {
    let interrupt = Interrupt::default();
    let person = interrupt.clone();
    let observer = move |notice: &Notice| {
        let Notice::Event { record, .. } = notice else { return };
        if matches!(&record.event, Event::StepEnded { step: ended, .. } if ended.as_str() == step) {
            person.go_back();
        }
    };
    let engine = world.deployer().engine().observer(Arc::new(observer)).build();
    let options = Options { interrupt, ..Options::default() };
    end(engine.deploy(&request(spec(world, "web-1", 2)), &Rolling, &options).await)
}

#[test]
fn what_stopped_a_leftover_was_not_cancelled_before_any_change() {
    virtual_time(async {
        let world = world();
        world.runs_unrouted(&release("web-0"), 1);
        world.runs_unrouted(&release("web-00"), 1);
        let end = taken_back_after(&world, "web/stop").await;
        assert_eq!(world.asked(&"web".into()).len(), 2, "one leftover was stopped");
        assert!(matches!(end, End::RolledBack { .. }), "{end:?}");
    })
    .unwrap();
}

#[test]
fn what_only_looked_was_cancelled() {
    virtual_time(async {
        let world = world();
        world.runs_unrouted(&release("web-0"), 1);
        let end = taken_back_after(&world, "web/check").await;
        assert_eq!(world.asked(&"web".into()).len(), 2, "nothing was stopped");
        assert!(matches!(end, End::Cancelled { .. }), "{end:?}");
    })
    .unwrap();
}

#[test]
fn what_was_started_again_was_not_cancelled_before_any_change() {
    virtual_time(async {
        let world = world();
        world.behave(&"web-2".into(), Behaviour::dies_after(Millis::from_secs(5)));
        assert_eq!(end(deploy(&engine(world.deployer()), spec(&world, "web-2", 2)).await), End::Succeeded);
        sleep(Millis::from_secs(60).duration()).await;
        world.behave(&"web-2".into(), Behaviour::never_healthy());
        let end = end(deploy(&engine(world.deployer()), spec(&world, "web-2", 2)).await);
        assert!(matches!(end, End::RolledBack { .. }), "{end:?}");
    })
    .unwrap();
}

#[test]
fn a_configuration_that_could_not_be_stored_changes_nothing() {
    virtual_time(async {
        let world = world();
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Store, Fault::Refuse);
        let end = end(deploy(&engine(faults.wrap(world.deployer())), spec(&world, "web-2", 2)).await);
        assert!(matches!(end, End::Cancelled { .. }), "{end:?}");
    })
    .unwrap();
}

/// What somebody else did is no barrier: the unwind goes past it.
#[test]
fn a_barrier_that_coincided_keeps_nobody() {
    virtual_time(async {
        let world = world();
        let mut plan: Plan = engine(world.deployer()).plan(&[spec(&world, "web-2", 2)], &Rolling).await.unwrap();
        let start = plan.steps.iter_mut().find(|step| step.id.as_str() == "web/start").unwrap();
        start.undo = Undo::Barrier { why: "no way back".into() };
        world.behave(&"web-2".into(), Behaviour::never_healthy());
        // somebody stores and starts it just before
        let outcomes = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (seen, others) = (outcomes.clone(), world.clone());
        let observer = move |notice: &Notice| match notice {
            Notice::Event { record, .. } => match &record.event {
                Event::StepStarted { step } if step.as_str() == "web/start" => {
                    others.runs_unrouted(&release("web-2"), 2);
                }
                Event::StepEnded { step, outcome } => seen.lock().unwrap().push((step.clone(), outcome.clone())),
                _ => {}
            },
            Notice::Progress(_) => {}
        };
        let engine = world.deployer().engine().observer(Arc::new(observer)).build();
        let payloads = request(spec(&world, "web-2", 2)).payloads;
        let end = end(engine.run_plan(plan, &payloads, &Options::default()).await);
        assert!(outcomes.lock().unwrap().contains(&("web/start".into(), Outcome::Coincided)), "{outcomes:?}");
        assert!(matches!(end, End::Cancelled { .. }), "{end:?}");
    })
    .unwrap();
}

/// Its secrets lie in it.
#[test]
fn what_was_taken_back_leaves_no_configuration_behind() {
    virtual_time(async {
        let world = world();
        let stored = async || world.deployer().target.observe(&["web".into()]).await.unwrap().stored;
        for (id, behaviour) in [("web-2", Behaviour::never_healthy()), ("web-3", Behaviour::exits_at_once())] {
            world.behave(&id.into(), behaviour);
            let end = end(deploy(&engine(world.deployer()), spec(&world, id, 2)).await);
            assert!(matches!(end, End::RolledBack { .. } | End::Cancelled { .. }), "{end:?}");
            assert_eq!(stored().await, ["web-1".into()].into());
        }
        // whoever crashes just before leaves it to the next one
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Discard, Fault::CrashBefore);
        assert!(deploy_with(&world, &faults, spec(&world, "web-2", 2)).await.is_none());
        assert_eq!(stored().await.len(), 2);
        engine(world.deployer()).resume(&Options::default()).await.unwrap();
        assert_eq!(stored().await, ["web-1".into()].into());
    })
    .unwrap();
}

/// Somebody made it, had the configuration stored, and took the project down then.
#[test]
fn a_plan_whose_configuration_is_gone_is_refused_before_any_change() {
    virtual_time(async {
        let world = world();
        let deployer = world.deployer();
        let fence = deployer.lease.take("a planner").await.unwrap().fence;
        let deadline = Instant::now() + Millis::from_secs(30).duration();
        let cx = Cx { deployment: DeploymentId(0), step: "plan".into(), fence, deadline };
        deployer.target.store(&cx, &release("web-2"), &Payload::new("configuration")).await.unwrap();
        let plan = engine(world.deployer()).plan(&[spec(&world, "web-2", 2)], &Rolling).await.unwrap();
        deployer.target.discard(&cx, &"web-2".into()).await.unwrap();
        deployer.lease.free(fence).await.unwrap();
        let refused = engine(world.deployer()).run_plan(plan, &[].into(), &Options::default()).await;
        assert!(matches!(refused, Err(EngineError::Stale { .. })), "{refused:?}");
        assert_eq!(world.asked(&"web".into()).len(), 1);
    })
    .unwrap();
}
