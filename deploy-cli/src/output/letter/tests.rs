use super::letter;
use crate::output::Names;
use deploy_core::{
    model::{
        BasisPoints, Batch, Clocks, Count, DeploymentId, Instance, InstanceState, Millis, Named, Object, ObjectRef,
        Observed, Order, Plan, Release, ServiceSpec, Shares, StepId, WorkloadRef, World,
    },
    strategy::{PlanInput, by_name},
};
use serde_json::json;
use std::collections::BTreeMap;

fn release(service: &str, version: &str) -> Release {
    let hash = version.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
    let id = format!("{service}-{hash:016x}").as_str().into();
    Release { id, service: service.into(), version: version.into(), artifact: "sha256:0".into() }
}

fn spec(service: &str, version: &str, count: u32) -> ServiceSpec {
    ServiceSpec {
        release: release(service, version),
        count: Count::Exactly(count),
        router: Some("proxy".into()),
        order: Order::StartFirst,
        batch: Batch::Share(BasisPoints::ALL),
        check: Named::new("http", json!({ "port": 8080, "path": "/healthz" })),
        clocks: Clocks::default(),
        smoke: Vec::new(),
        bake: Millis::ZERO,
        drain_by: Millis::from_secs(30),
        stop_by: Millis::from_secs(10),
        needs: Vec::new(),
        objects: Vec::new(),
        keep_failed: false,
        notes: vec!["requests reach it through a proxy that publishes port 8080".into()],
    }
}

fn database() -> ServiceSpec {
    ServiceSpec {
        router: None,
        order: Order::StopFirst,
        check: Named::new("own", json!(null)),
        notes: vec![
            "two at once would write to the volume `data`, so the old one ends before the new one starts".into(),
        ],
        ..spec("db", "17", 1)
    }
}

fn workload(release: &Release) -> WorkloadRef {
    WorkloadRef { target: "shop".into(), service: release.service.clone(), release: release.id.clone() }
}

fn running(world: &mut World, spec: &ServiceSpec, count: u32) {
    let instance = |ordinal| Instance {
        name: format!("{}-{ordinal}", spec.release.id),
        ordinal,
        state: InstanceState::Running,
        restarts: 0,
    };
    let workload = workload(&spec.release);
    world.workloads.push(Observed {
        release: spec.release.clone(),
        made_by: Some((DeploymentId(1), StepId::new("start"))),
        fence: None,
        asked: count,
        instances: (1..=count).map(instance).collect(),
        workload: workload.clone(),
    });
    world.stored.insert(spec.release.id.clone());
    if let Some(router) = &spec.router {
        let shares = Shares::all_to(workload, Some(count));
        world.routes.entry(router.clone()).or_default().insert(spec.release.service.clone(), shares);
    }
}

fn planned(strategy: &str, wanted: Vec<ServiceSpec>, world: World) -> (Plan, Names) {
    let mut names = Names::new();
    names.know_world(&world);
    let input = PlanInput { home: "shop".into(), wanted, world, known: BTreeMap::new(), capabilities: BTreeMap::new() };
    let plan = by_name(strategy).unwrap().plan(&input).unwrap();
    names.know_plan(&plan);
    (plan, names)
}

fn told(strategy: &str, wanted: Vec<ServiceSpec>, world: World) -> String {
    let (plan, names) = planned(strategy, wanted, world);
    anstream::adapter::strip_str(&letter(&plan, &names)).to_string()
}

fn with_v1(count: u32) -> World {
    let mut world = World::default();
    running(&mut world, &spec("web", "v1", count), count);
    world
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
fn another_count_alone() {
    insta::assert_snapshot!(told("rolling", vec![spec("web", "v1", 6)], with_v1(4)));
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
