//! What the next deployment makes of a bad end, and for how long it is remembered.

use crate::site::{end, release, request, spec};
use deploy_core::{
    engine::{Finish, Options, Report},
    model::{Count, End},
    strategy::Rolling,
    target::Target,
    testing::{
        Behaviour, SimSettings, SimWorld,
        faults::{CallKind, Fault, Faults},
        virtual_time,
    },
};

async fn deploy(world: &SimWorld, faults: &Faults, id: &str) -> Report {
    let engine = faults.wrap(world.deployer()).engine().build();
    let mut wanted = spec(world, id, 2);
    if world.target().capabilities().owns_counts {
        wanted.count = Count::Leave;
    }
    engine.deploy(&request(wanted), &Rolling, &Options::default()).await.unwrap()
}

/// A cluster that replaced `web-1` by a release that is no good, and couldn't go back.
async fn stuck() -> SimWorld {
    let world = SimWorld::new(SimSettings::cluster());
    world.runs(&release("web-1"), 2);
    world.behave(&"web-2".into(), Behaviour::never_healthy());
    let faults = Faults::default();
    faults.when(|call| call.kind == CallKind::Replace && call.about == "web-1", Fault::Refuse);
    let end = end(Ok(deploy(&world, &faults, "web-2").await));
    assert!(matches!(end, End::Stuck { .. }), "{end:?}");
    world
}

#[test]
fn what_is_stuck_is_not_unchanged_however_often_it_is_tried() {
    virtual_time(async {
        let world = stuck().await;
        for _ in 0..3 {
            let end = end(Ok(deploy(&world, &Faults::default(), "web-2").await));
            assert!(matches!(&end, End::Cancelled { why } if why.contains("not healthy")), "{end:?}");
        }
        // one more that changes something, is no good, and goes back
        world.behave(&"web-3".into(), Behaviour::never_healthy());
        let taken_back = end(Ok(deploy(&world, &Faults::default(), "web-3").await));
        assert!(!matches!(taken_back, End::Succeeded), "{taken_back:?}");
        let end = end(Ok(deploy(&world, &Faults::default(), "web-2").await));
        assert!(!matches!(end, End::Succeeded), "{end:?}");
    })
    .unwrap();
}

#[test]
fn a_good_end_dispels_the_doubt() {
    virtual_time(async {
        let world = stuck().await;
        assert_eq!(end(Ok(deploy(&world, &Faults::default(), "web-1").await)), End::Succeeded);
        assert_eq!(deploy(&world, &Faults::default(), "web-1").await.finish, Finish::Unchanged);
    })
    .unwrap();
}
