//! What a person wishes while a deployment runs.

use crate::site::{deploy_with, engine, request, spec, world};
use deploy_core::{
    engine::{Finish, Interrupt, Options},
    strategy::Rolling,
    testing::faults::{CallKind, Fault, Faults},
    testing::virtual_time,
};

fn halted() -> Options {
    let interrupt = Interrupt::default();
    interrupt.halt();
    Options { interrupt, ..Options::default() }
}

#[test]
fn an_abort_can_be_halted_too() {
    virtual_time(async {
        let world = world();
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Route, Fault::CrashAfter);
        assert!(deploy_with(&world, &faults, spec(&world, "web-2", 2)).await.is_none());
        let report = engine(world.deployer()).abort(&halted()).await.unwrap();
        assert!(matches!(report.finish, Finish::Suspended(_)), "{report:?}");
        let report = engine(world.deployer()).abort(&Options::default()).await.unwrap();
        assert!(matches!(report.finish, Finish::Ended(_)), "{report:?}");
        assert_eq!(world.asked(&"web".into()), [("web-1".into(), 2)].into());
    })
    .unwrap();
}

#[test]
fn nothing_is_planned_upon_a_deployment_that_is_half_taken_back() {
    virtual_time(async {
        let world = world();
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Route, Fault::CrashAfter);
        assert!(deploy_with(&world, &faults, spec(&world, "web-2", 2)).await.is_none());
        let another = request(spec(&world, "web-3", 2));
        let report = engine(world.deployer()).deploy(&another, &Rolling, &halted()).await.unwrap();
        assert!(matches!(report.finish, Finish::Suspended(_)), "{report:?}");
        assert_eq!(report.deployment.map(|id| id.0), Some(1), "the interrupted one is still to be taken back");
    })
    .unwrap();
}
