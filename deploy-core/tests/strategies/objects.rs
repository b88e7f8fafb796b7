//! What plans do with the objects that releases no longer stand on.

use crate::{
    render::plan_text,
    worlds::{deployed, input, object, service},
};
use deploy_core::{
    model::{
        Awaited, Batch, Capabilities, Millis, Object, OnFailure, Op, Order, Plan, PlanError, ServiceSpec, StepId, Undo,
    },
    strategy::{BlueGreen, PlanInput, Recreate, Rolling, Strategy},
};

fn standing_on(name: &str, id: &str, objects: impl IntoIterator<Item = Object>) -> ServiceSpec {
    ServiceSpec { objects: objects.into_iter().collect(), ..service(name, id, 2) }
}

fn plan(input: &PlanInput) -> Plan {
    Rolling.plan(input).unwrap()
}

fn deleted(input: &PlanInput) -> Vec<String> {
    let steps = plan(input).steps.into_iter();
    steps.filter(|step| matches!(step.op, Op::Delete { .. })).map(|step| step.op.to_string()).collect()
}

#[test]
fn a_network_that_nothing_stands_on_any_more_is_deleted_last() {
    let objects = ["front", "back"].map(|name| object("network", name)).into_iter().chain([object("volume", "data")]);
    let (old, new) = (standing_on("web", "web-old", objects), standing_on("web", "web-new", []));
    let world = deployed(input([new]), &old);
    insta::assert_snapshot!(plan_text(&Rolling, &world));
    let plan = plan(&world);
    let last = plan.step(&StepId::new("network front/delete")).unwrap();
    assert_eq!(last.on_failure, OnFailure::Continue, "a network that stays fails no deployment");
}

#[test]
fn what_others_stand_on_stays() {
    let network = || object("network", "shared");
    let (old, new) = (standing_on("web", "web-old", [network()]), standing_on("web", "web-new", []));
    assert_eq!(deleted(&deployed(input([new.clone()]), &old)), ["delete network shared"]);
    // in the same plan, unchanged
    let api = standing_on("api", "api-now", [network()]);
    assert!(deleted(&deployed(deployed(input([new.clone(), api.clone()]), &old), &api)).is_empty());
    // deployed earlier, and not in this plan: it may still run
    let mut other = deployed(input([new.clone()]), &old);
    other.known.insert(api.release.id.clone(), api);
    assert!(deleted(&other).is_empty());
    // by nobody's knowledge, and it isn't there
    let mut gone = deployed(input([new]), &old);
    gone.world.objects.clear();
    assert!(deleted(&gone).is_empty());
}

#[test]
fn what_nobody_knows_is_left_alone() {
    let (old, new) = (standing_on("web", "web-old", [object("network", "back")]), standing_on("web", "web-new", []));
    let mut unknown = deployed(input([new]), &old);
    unknown.known.clear();
    assert!(deleted(&unknown).is_empty());
}

/// Names and ports are the proxy's until it is gone, so nothing can start beside it.
#[test]
fn a_service_that_leaves_its_router_ends_before_it_starts() {
    let old = standing_on("web", "web-old", [object("network", "front"), object("proxy", "web")]);
    let mut new = standing_on("web", "web-new", [object("network", "front")]);
    (new.router, new.bake) = (None, Millis::from_secs(5));
    let world = deployed(input([new]), &old);
    let texts = [&Rolling as &dyn Strategy, &BlueGreen, &Recreate].map(|strategy| plan_text(strategy, &world));
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
    insta::assert_snapshot!(texts[0]);
}

#[test]
fn a_proxy_that_a_bad_end_left_is_taken_away_too() {
    let old = standing_on("web", "web-old", [object("proxy", "web")]);
    let mut new = standing_on("web", "web-new", []);
    new.router = None;
    let mut world = deployed(input([new]), &old);
    world.world.routes.clear();
    world.world.workloads[0].asked = 0;
    assert_eq!(deleted(&world), ["delete proxy web"]);
}

#[test]
fn a_router_that_cannot_be_left_is_told() {
    let old = standing_on("web", "web-old", [object("proxy", "web")]);
    let mut new = standing_on("web", "web-new", []);
    new.router = None;
    let refused = |input: &PlanInput| matches!(Rolling.plan(input), Err(PlanError::Unsuitable { .. }));
    let mut unknown = deployed(input([new]), &old);
    unknown.known.clear();
    assert!(refused(&unknown), "nobody knows through what its requests come");
    let mut same = old.clone();
    same.router = None;
    assert!(refused(&deployed(input([same]), &old)), "the same instances can't be both");
}

#[test]
fn what_is_reached_directly_comes_behind_a_proxy_once_the_new_is_healthy() {
    let mut old = service("web", "web-old", 2);
    old.router = None;
    let mut web = service("web", "web-new", 2);
    web.objects = vec![object("network", "front"), object("proxy", "web")];
    let world = deployed(input([web.clone()]), &old);
    insta::assert_snapshot!(plan_text(&Rolling, &world));
    assert_eq!(plan_text(&BlueGreen, &world), plan_text(&Rolling, &world));
    web.order = Order::StopFirst;
    insta::assert_snapshot!(plan_text(&BlueGreen, &deployed(input([web]), &old)));
}

/// What the new release is asked may be another port than somebody else's answers on.
#[test]
fn what_somebody_else_ran_need_only_run_again_on_the_way_back() {
    let mut old = service("web", "web-old", 2);
    old.router = None;
    let mut web = service("web", "web-new", 2);
    web.objects = vec![object("proxy", "web")];
    let mut world = deployed(input([web]), &old);
    let looks = |input: &PlanInput| -> Vec<String> {
        let steps = plan(input).steps.into_iter();
        let undo = steps.filter_map(|step| match step.undo {
            Undo::Do { ops } => Some(ops),
            _ => None,
        });
        let checks = undo.flatten().filter_map(|op| match op {
            Op::Check { check, .. } => Some(check.name),
            _ => None,
        });
        checks.collect()
    };
    assert_eq!(looks(&world), [old.check.name], "as it was deployed");
    world.known.clear();
    assert_eq!(looks(&world), ["tcp"], "ours, as the new one");
    world.world.workloads[0].made_by = None;
    assert_eq!(looks(&world), ["running"]);
}

#[test]
fn a_proxy_that_changes_takes_its_place_right_before_the_switch() {
    let mut old = service("web", "web-old", 2);
    old.objects = vec![object("proxy", "web")];
    let mut web = service("web", "web-new", 2);
    web.objects = vec![object("proxy", "web")];
    web.objects[0].spec = serde_json::json!({"ports": [80, 443]});
    web.batch = Batch::Size(1);
    insta::assert_snapshot!(plan_text(&Rolling, &deployed(input([web.clone()]), &old)));
    // and at once where it is all that changes
    let mut same = old.clone();
    same.objects.clone_from(&web.objects);
    insta::assert_snapshot!(plan_text(&Rolling, &deployed(input([same]), &old)));
}

#[test]
fn what_stays_as_it_was_made_is_not_asked_for_anew() {
    let mut old = standing_on("web", "web-old", [object("network", "front")]);
    old.objects[0].spec = serde_json::json!({"internal": false});
    let mut new = standing_on("web", "web-new", [object("network", "front")]);
    new.objects[0].spec = serde_json::json!({"internal": true});
    let mut world = deployed(input([new.clone()]), &old);
    let applied = |input: &PlanInput| plan(input).steps.iter().any(|step| matches!(step.op, Op::Apply { .. }));
    assert!(applied(&world), "where an object may change");
    world.capabilities.get_mut(&"host".into()).unwrap().fixed = ["network".to_owned()].into();
    assert!(!applied(&world));
    assert_eq!(plan(&world).services[0].objects, old.objects, "what it stands on is what is there");
    // taken away by now
    world.world.objects.clear();
    assert!(applied(&world));
    assert_eq!(plan(&world).services[0].objects, new.objects);
}

#[test]
fn what_takes_its_time_is_waited_for_by_those_that_stand_on_it() {
    let objects = [("definition", "shops"), ("database", "one"), ("database", "two"), ("network", "front")];
    let objects = || objects.map(|(kind, name)| object(kind, name));
    let (web, api) = (standing_on("web", "web-new", objects()), standing_on("api", "api-new", objects()));
    let mut input = input([web, api]);
    let awaited = [("definition".to_owned(), Awaited::ByObjects), ("database".to_owned(), Awaited::ByServices)].into();
    input.capabilities.insert("host".into(), Capabilities { awaited, ..Capabilities::default() });
    let plan = plan(&input);
    let after = |id: &str| plan.step(&StepId::new(id)).unwrap().after.iter().map(StepId::as_str).collect::<Vec<_>>();
    assert_eq!(after("definition shops/await"), ["definition shops/apply"]);
    assert_eq!(after("database one/apply"), ["definition shops/await"], "it may be of a kind that is defined there");
    assert_eq!(after("database two/apply"), ["database one/apply"], "they come true side by side");
    assert_eq!(after("network front/apply"), ["database two/apply"]);
    for service in ["web", "api"] {
        let start = after(&format!("{service}/start"));
        for step in ["database one/await", "database two/await", "network front/apply"] {
            assert!(start.contains(&step), "{start:?}");
        }
    }
}

#[test]
fn what_takes_its_time_is_waited_for_on_the_way_back_as_well() {
    let now = object("database", "shop");
    let then = Object { spec: serde_json::json!({ "replicas": 1 }), ..now.clone() };
    let (old, new) = (standing_on("web", "web-old", [then]), standing_on("web", "web-new", [now]));
    let mut world = deployed(input([new]), &old);
    let can = world.capabilities.get_mut(&"host".into()).unwrap();
    can.awaited.insert("database".into(), Awaited::ByServices);
    let Undo::Do { ops } = &plan(&world).step(&StepId::new("database shop/apply")).unwrap().undo.clone() else {
        panic!("it is undone")
    };
    let ops: Vec<_> = ops.iter().map(ToString::to_string).collect();
    assert_eq!(ops, ["apply database shop", "wait for database shop"]);
}
