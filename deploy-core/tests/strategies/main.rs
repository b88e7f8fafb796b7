//! Each strategy's plan, as text: the order, what is expected, and the way back.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod lodgers;
mod objects;
mod render;
mod worlds;

use deploy_core::{
    engine::State,
    model::{Batch, Count, Event, Millis, Object, ObjectRef, OnFailure, Order, PlanError},
    rollback::{Rollback, Unwind},
    strategy::{BlueGreen, Recreate, Rolling, Strategy, by_name},
};
use render::plan_text;
use worlds::{doubtful, failed, input, kept, routed, running, service, stored};

#[test]
fn strategies_are_found_by_their_names() {
    for name in ["rolling", "blue-green", "recreate"] {
        assert_eq!(by_name(name).map(Strategy::name), Some(name));
    }
    assert!(by_name("canary").is_none());
}

#[test]
fn a_first_deployment_starts_checks_and_routes() {
    insta::assert_snapshot!(plan_text(&Rolling, &input([service("web", "web-new", 2)])));
}

#[test]
fn rolling_moves_batch_by_batch() {
    let mut web = service("web", "web-new", 4);
    web.batch = Batch::Size(2);
    let world = routed(running(stored(input([web]), "web-new"), "web", "web-old", 4), "web", "web-old", 4);
    insta::assert_snapshot!(plan_text(&Rolling, &world));
}

#[test]
fn rolling_stop_first_never_runs_more_than_asked_for() {
    let mut web = service("web", "web-new", 3);
    (web.batch, web.order) = (Batch::Size(1), Order::StopFirst);
    let world = routed(running(stored(input([web]), "web-new"), "web", "web-old", 3), "web", "web-old", 3);
    insta::assert_snapshot!(plan_text(&Rolling, &world));
}

#[test]
fn blue_green_switches_once_and_bakes_before_the_old_ends() {
    let mut web = service("web", "web-new", 4);
    web.bake = Millis::from_secs(10);
    web.smoke = vec![deploy_core::model::Named::new("http", serde_json::json!({"port": 80, "path": "/smoke"}))];
    let world = routed(running(stored(input([web]), "web-new"), "web", "web-old", 4), "web", "web-old", 4);
    insta::assert_snapshot!(plan_text(&BlueGreen, &world));
}

#[test]
fn recreate_ends_the_old_first() {
    let world = input([service("web", "web-new", 2)]);
    let world = routed(running(stored(world, "web-new"), "web", "web-old", 2), "web", "web-old", 2);
    insta::assert_snapshot!(plan_text(&Recreate, &world));
}

#[test]
fn what_must_not_run_twice_is_stopped_first_by_every_strategy() {
    let mut db = service("db", "db-new", 1);
    (db.order, db.router, db.batch) = (Order::StopFirst, None, Batch::Size(1));
    let world = running(stored(input([db]), "db-new"), "db", "db-old", 1);
    let texts = [&Rolling as &dyn Strategy, &BlueGreen, &Recreate].map(|strategy| plan_text(strategy, &world));
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
    insta::assert_snapshot!(texts[0]);
}

#[test]
fn more_instances_of_the_same_release_are_added() {
    let world = stored(input([service("web", "web-now", 4)]), "web-now");
    insta::assert_snapshot!(plan_text(&Rolling, &routed(running(world, "web", "web-now", 2), "web", "web-now", 2)));
}

#[test]
fn fewer_instances_of_the_same_release_drain_first() {
    let world = stored(input([service("web", "web-now", 1)]), "web-now");
    insta::assert_snapshot!(plan_text(&Rolling, &routed(running(world, "web", "web-now", 3), "web", "web-now", 3)));
}

#[test]
fn a_service_waits_for_those_that_it_needs() {
    let mut web = service("web", "web-new", 1);
    web.needs = vec!["api".into()];
    insta::assert_snapshot!(plan_text(&Rolling, &input([web, service("api", "api-new", 1)])));
}

/// Whatever services and objects are called, each step is called otherwise, on the way back too.
#[test]
fn steps_of_services_and_objects_never_meet() {
    let kinds = ["network", "proxy", "volume"];
    let verbs = ["store", "start", "check", "smoke", "route", "drain", "bake", "stop", "replace", "apply", "delete"];
    let names = verbs.into_iter().flat_map(|verb| [verb.to_owned(), format!("{verb}-2")]);
    let names: Vec<_> = names.chain(kinds.map(String::from)).collect();
    let object = |kind: &str, name: &str| Object {
        object: ObjectRef { target: "host".into(), kind: kind.into(), name: name.into() },
        spec: serde_json::Value::Null,
    };
    let everything: Vec<_> = kinds.iter().flat_map(|kind| names.iter().map(|name| object(kind, name))).collect();
    let wanted = ["network", "proxy", "volume", "undo network", "network network"].map(|name| {
        let mut spec = service(name, &format!("{name}-new"), 3);
        (spec.objects, spec.batch, spec.bake) = (everything.clone(), Batch::Size(1), Millis::from_secs(1));
        spec.smoke = vec![spec.check.clone(), spec.check.clone()];
        spec
    });
    let services = wanted.clone().map(|spec| spec.release.service);
    let mut world = input(wanted);
    for service in services {
        let (service, old) = (service.as_str(), format!("{service}-old"));
        world = routed(running(world, service, &old, 3), service, &old, 3);
    }
    for strategy in [&Rolling as &dyn Strategy, &BlueGreen, &Recreate] {
        let plan = strategy.plan(&world).unwrap();
        let mut state = State::begin(&Event::Planned { plan: Box::new(plan.clone()) }).unwrap();
        for step in &plan.steps {
            state = state.apply(&Event::StepStarted { step: step.id.clone() }).unwrap();
        }
        let back = Unwind.plan(&state).unwrap();
        let met: Vec<_> = back.steps.iter().filter(|undo| plan.step(&undo.id).is_some()).collect();
        assert!(met.is_empty(), "{met:#?}");
    }
}

#[test]
fn services_that_need_each_other_have_no_plan() {
    let (mut web, mut api) = (service("web", "web-new", 1), service("api", "api-new", 1));
    (web.needs, api.needs) = (vec!["api".into()], vec!["web".into()]);
    assert_eq!(Rolling.plan(&input([web, api])).map(|_| ()), Err(PlanError::NeedsItself { service: "web".into() }));
}

#[test]
fn what_is_unchanged_gets_no_step() {
    let world = stored(input([service("web", "web-now", 2)]), "web-now");
    let world = routed(running(world, "web", "web-now", 2), "web", "web-now", 2);
    for strategy in [&Rolling as &dyn Strategy, &BlueGreen, &Recreate] {
        assert_eq!(strategy.plan(&world).map(|plan| plan.steps), Ok(Vec::new()));
    }
}

#[test]
fn what_an_earlier_deployment_left_unrouted_only_leaves() {
    let world = stored(input([service("web", "web-now", 2)]), "web-now");
    let world = routed(running(running(world, "web", "web-now", 2), "web", "web-left", 2), "web", "web-now", 2);
    insta::assert_snapshot!(plan_text(&Rolling, &world));
}

#[test]
fn what_was_left_in_doubt_is_looked_at_again() {
    let world = stored(input([service("web", "web-now", 2)]), "web-now");
    let world = doubtful(routed(running(world, "web", "web-now", 2), "web", "web-now", 2), "web");
    for strategy in [&Rolling as &dyn Strategy, &BlueGreen, &Recreate] {
        let text = plan_text(strategy, &world);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("web/check: "), "{text}");
    }
}

#[test]
fn in_doubt_nothing_is_a_leftover() {
    let world = stored(input([service("web", "web-now", 2)]), "web-now");
    let world = routed(running(running(world, "web", "web-now", 2), "web", "web-left", 2), "web", "web-now", 2);
    insta::assert_snapshot!(plan_text(&Rolling, &doubtful(world, "web")));
}

#[test]
fn stop_first_routes_to_what_is_there_before_the_old_end() {
    let mut web = service("web", "web-new", 3);
    (web.batch, web.order) = (Batch::Size(2), Order::StopFirst);
    let world = running(running(stored(input([web]), "web-new"), "web", "web-old", 1), "web", "web-new", 2);
    insta::assert_snapshot!(plan_text(&Rolling, &routed(world, "web", "web-old", 1)));
}

#[test]
fn the_way_back_keeps_a_release_that_was_kept() {
    let world = stored(input([service("web", "web-earlier", 1)]), "web-earlier");
    let world = kept(routed(running(world, "web", "web-now", 1), "web", "web-now", 1), "web", "web-earlier", 1);
    insta::assert_snapshot!(plan_text(&Rolling, &world));
}

#[test]
fn the_end_of_the_last_old_instance_never_takes_the_new_ones_away() {
    let world = stored(input([service("web", "web-new", 2)]), "web-new");
    let world = routed(running(world, "web", "web-old", 2), "web", "web-old", 2);
    for strategy in [&Rolling as &dyn Strategy, &BlueGreen] {
        let plan = strategy.plan(&world).unwrap();
        assert_eq!(plan.steps.last().map(|step| step.on_failure), Some(OnFailure::Halt));
    }
}

#[test]
fn no_instance_at_all_can_be_asked_for() {
    let mut web = service("web", "web-new", 0);
    web.count = Count::Exactly(0);
    let world = routed(running(stored(input([web]), "web-new"), "web", "web-old", 1), "web", "web-old", 1);
    insta::assert_snapshot!(plan_text(&Rolling, &world));
}

#[test]
fn what_has_ended_is_started_again() {
    let world = stored(input([service("web", "web-now", 2)]), "web-now");
    insta::assert_snapshot!(plan_text(&Rolling, &routed(failed(world, "web", "web-now", 2), "web", "web-now", 2)));
}

#[test]
fn requests_are_sent_anew_to_what_somebody_removed() {
    let world = stored(input([service("web", "web-now", 2)]), "web-now");
    let text = plan_text(&Rolling, &routed(world, "web", "web-now", 2));
    assert!(text.contains("web/route: send requests for web: 100 % to web-now (2 instances)"), "{text}");
}
