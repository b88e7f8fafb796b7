use super::letter;
use crate::output::fixtures::{database, planned, planned_from, planned_where, running, spec, with_v1};
use deploy_core::model::{Awaited, Batch, Capabilities, Millis, Named, Object, ObjectRef, Order, ServiceSpec, World};
use serde_json::json;

fn told(strategy: &str, wanted: Vec<ServiceSpec>, world: World) -> String {
    let (plan, names) = planned(strategy, wanted, world);
    anstream::adapter::strip_str(&letter(&plan, &names)).to_string()
}

#[test]
fn a_first_deployment() {
    let object = |kind: &str, name: &str| Object {
        object: ObjectRef { target: "shop".into(), kind: kind.into(), name: name.into() },
        spec: json!({}),
    };
    let mut web = spec("web", "v1", 2);
    web.needs = vec!["db".into()];
    web.objects = vec![object("network", "shop-ingress"), object("proxy", "web")];
    let mut db = database();
    db.objects = vec![object("volume", "shop-data")];
    insta::assert_snapshot!(told("rolling", vec![web, db], World::default()));
}

#[test]
fn rolling_all_at_once_beside_an_unchanged_neighbour() {
    let mut world = with_v1(4);
    running(&mut world, &database(), 1);
    insta::assert_snapshot!(told("rolling", vec![spec("web", "v2", 4), database()], world));
}

#[test]
fn rolling_in_many_batches_is_one_line() {
    let web = ServiceSpec { batch: Batch::Size(2), bake: Millis::from_secs(30), ..spec("web", "v2", 7) };
    insta::assert_snapshot!(told("rolling", vec![web], with_v1(7)));
}

#[test]
fn stop_first_in_batches() {
    let web = ServiceSpec { batch: Batch::Size(1), order: Order::StopFirst, ..spec("web", "v2", 3) };
    insta::assert_snapshot!(told("rolling", vec![web], with_v1(3)));
}

#[test]
fn blue_green_with_smoke_and_bake() {
    let smoke = vec![Named::new("http", json!({ "port": 8080, "path": "/smoke" }))];
    let web = ServiceSpec { smoke, bake: Millis::from_secs(120), keep_failed: true, ..spec("web", "v2", 4) };
    insta::assert_snapshot!(told("blue-green", vec![web], with_v1(4)));
}

#[test]
fn recreate_says_that_requests_are_not_sent() {
    insta::assert_snapshot!(told("recreate", vec![spec("web", "v2", 1)], with_v1(1)));
}

#[test]
fn what_the_backend_replaces_itself_says_who_goes_first() {
    let can = Capabilities { replaces: true, ..Capabilities::default() };
    let told = |strategy: &str| {
        let (plan, names) = planned_where(can.clone(), strategy, vec![spec("web", "v2", 2)], with_v1(2), []);
        anstream::adapter::strip_str(&letter(&plan, &names)).to_string()
    };
    let rolling = told("rolling");
    assert!(rolling.contains("have v1 replaced by v2 in place and wait until they are healthy"), "{rolling}");
    let recreate = told("recreate");
    assert!(recreate.contains("in place, old ones first: nobody may answer in between; wait until"), "{recreate}");
}

#[test]
fn another_count_alone() {
    insta::assert_snapshot!(told("rolling", vec![spec("web", "v1", 6)], with_v1(4)));
}

#[test]
fn what_nothing_stands_on_any_more_goes_in_its_turn() {
    let object = |kind: &str, name: &str| Object {
        object: ObjectRef { target: "shop".into(), kind: kind.into(), name: name.into() },
        spec: json!({}),
    };
    let mut old = spec("web", "v1", 2);
    old.objects = vec![object("network", "shop_back"), object("proxy", "web")];
    let mut world = with_v1(2);
    world.objects.clone_from(&old.objects);
    let direct = ServiceSpec { router: None, notes: Vec::new(), ..spec("web", "v2", 2) };
    let (plan, names) = planned_from("rolling", vec![direct], world, [old]);
    insta::assert_snapshot!(anstream::adapter::strip_str(&letter(&plan, &names)).to_string());
}

#[test]
fn nothing_to_do() {
    let mut world = with_v1(4);
    running(&mut world, &database(), 1);
    insta::assert_snapshot!(told("rolling", vec![spec("web", "v1", 4), database()], world));
}

#[test]
fn a_letter_fits_on_a_screen_however_many_instances_there_are() {
    let web = ServiceSpec { batch: Batch::Size(1), ..spec("web", "v2", 50) };
    let letter = told("rolling", vec![web], with_v1(50));
    assert!(letter.lines().count() <= 24, "{letter}");
}

#[test]
fn a_proxy_that_becomes_another_is_exchanged_where_its_service_switches() {
    let proxy = |ports: u16| Object {
        object: ObjectRef { target: "shop".into(), kind: "proxy".into(), name: "web".into() },
        spec: json!({ "ports": ports }),
    };
    let (mut old, mut new) = (spec("web", "v1", 2), spec("web", "v2", 2));
    (old.objects, new.objects) = (vec![proxy(80)], vec![proxy(443)]);
    let mut world = with_v1(2);
    world.objects.clone_from(&old.objects);
    let exchanged = |wanted: ServiceSpec| {
        let (plan, names) = planned_from("rolling", vec![wanted], world.clone(), [old.clone()]);
        anstream::adapter::strip_str(&letter(&plan, &names)).to_string()
    };
    insta::assert_snapshot!(exchanged(new.clone()));
    // where nothing else changes, at once
    let mut alone = old.clone();
    alone.objects = new.objects;
    insta::assert_snapshot!(exchanged(alone));
}

#[test]
fn what_lives_in_another_container_is_told_after_it() {
    let vpn = |version: &str| ServiceSpec { router: None, order: Order::StopFirst, ..spec("vpn", version, 1) };
    let wiki = |version: &str| ServiceSpec {
        needs: vec!["vpn".into()],
        lives_in: vec!["vpn".into()],
        ..ServiceSpec { release: spec("wiki", version, 1).release, ..vpn(version) }
    };
    let mut world = World::default();
    running(&mut world, &vpn("v1"), 1);
    running(&mut world, &wiki("v1"), 1);
    insta::assert_snapshot!(told("rolling", vec![wiki("v2"), vpn("v2")], world.clone()));
    insta::assert_snapshot!(told("rolling", vec![wiki("v2"), vpn("v1")], world));
}

#[test]
fn what_takes_its_time_is_waited_for_first() {
    let object = ObjectRef { target: "shop".into(), kind: "job.batch".into(), name: "migrate".into() };
    let web = ServiceSpec { objects: vec![Object { object, spec: json!({}) }], ..spec("web", "v2", 2) };
    let can =
        Capabilities { awaited: [("job.batch".to_owned(), Awaited::ByServices)].into(), ..Capabilities::default() };
    let (plan, names) = planned_where(can, "rolling", vec![web], with_v1(2), []);
    let letter = letter(&plan, &names);
    assert!(letter.contains("make the job.batch migrate; wait for the job.batch migrate"), "{letter}");
}
