//! Services and worlds for tests.

use super::Names;
use deploy_core::{
    model::{
        BasisPoints, Batch, Capabilities, Clocks, Count, DeploymentId, Instance, InstanceState, Millis, Named,
        Observed, Order, Plan, Release, ServiceSpec, Shares, StepId, WorkloadRef, World,
    },
    strategy::{PlanInput, by_name},
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn release(service: &str, version: &str) -> Release {
    let hash = version.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
    let id = format!("{service}-{hash:016x}").as_str().into();
    Release { id, service: service.into(), version: version.into(), artifact: "sha256:0".into() }
}

pub(crate) fn spec(service: &str, version: &str, count: u32) -> ServiceSpec {
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
        lives_in: Vec::new(),
        objects: Vec::new(),
        keep_failed: false,
        notes: vec!["requests reach it through a proxy that publishes port 8080".into()],
    }
}

pub(crate) fn database() -> ServiceSpec {
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

pub(crate) fn workload(release: &Release) -> WorkloadRef {
    WorkloadRef { target: "shop".into(), service: release.service.clone(), release: release.id.clone() }
}

pub(crate) fn running(world: &mut World, spec: &ServiceSpec, count: u32) {
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

pub(crate) fn planned(strategy: &str, wanted: Vec<ServiceSpec>, world: World) -> (Plan, Names) {
    planned_from(strategy, wanted, world, [])
}

/// Where these were deployed before, on a target that deletes networks and proxies.
pub(crate) fn planned_from<const N: usize>(
    strategy: &str,
    wanted: Vec<ServiceSpec>,
    world: World,
    before: [ServiceSpec; N],
) -> (Plan, Names) {
    let (fronts, disposable) = (["proxy".to_owned()].into(), ["network".to_owned()].into());
    let can = Capabilities { fronts, disposable, ..Capabilities::default() };
    planned_where(can, strategy, wanted, world, before)
}

/// The same on a target that can do this.
pub(crate) fn planned_where<const N: usize>(
    can: Capabilities,
    strategy: &str,
    wanted: Vec<ServiceSpec>,
    world: World,
    before: [ServiceSpec; N],
) -> (Plan, Names) {
    let mut names = Names::new();
    names.know_world(&world);
    let input = PlanInput {
        home: "shop".into(),
        wanted,
        world,
        known: before.into_iter().map(|spec| (spec.release.id.clone(), spec)).collect(),
        doubtful: BTreeSet::new(),
        capabilities: BTreeMap::from([("shop".into(), can)]),
    };
    let plan = by_name(strategy).unwrap().plan(&input).unwrap();
    names.know_plan(&plan);
    (plan, names)
}

pub(crate) fn with_v1(count: u32) -> World {
    let mut world = World::default();
    running(&mut world, &spec("web", "v1", count), count);
    world
}
