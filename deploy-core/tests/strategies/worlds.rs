use deploy_core::{
    model::{
        BasisPoints, Batch, Capabilities, Clocks, Count, DeploymentId, Instance, InstanceState, Millis, Named, Object,
        ObjectRef, Observed, Order, Release, ServiceSpec, Shares, WorkloadRef, World,
    },
    strategy::PlanInput,
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn release(service: &str, id: &str) -> Release {
    Release { id: id.into(), service: service.into(), version: String::new(), artifact: "image".into() }
}

pub(crate) fn service(name: &str, id: &str, count: u32) -> ServiceSpec {
    ServiceSpec {
        release: release(name, id),
        count: Count::Exactly(count),
        router: Some("proxy".into()),
        order: Order::StartFirst,
        batch: Batch::Share(BasisPoints::ALL),
        check: Named::new("tcp", serde_json::json!({"port": 80})),
        clocks: Clocks::default(),
        smoke: Vec::new(),
        bake: Millis::ZERO,
        drain_by: Millis::from_secs(30),
        stop_by: Millis::from_secs(10),
        needs: Vec::new(),
        lives_in: Vec::new(),
        objects: Vec::new(),
        keep_failed: false,
        notes: Vec::new(),
    }
}

pub(crate) fn input<const N: usize>(wanted: [ServiceSpec; N]) -> PlanInput {
    PlanInput {
        home: "host".into(),
        wanted: wanted.into(),
        world: World::default(),
        known: BTreeMap::new(),
        doubtful: BTreeSet::new(),
        capabilities: BTreeMap::new(),
    }
}

fn workload(service: &str, id: &str) -> WorkloadRef {
    WorkloadRef { target: "host".into(), service: service.into(), release: id.into() }
}

fn with(mut input: PlanInput, service: &str, id: &str, count: u32, state: &InstanceState) -> PlanInput {
    let instance = |ordinal| Instance { name: format!("{id}-{ordinal}"), ordinal, state: state.clone(), restarts: 0 };
    input.world.workloads.push(Observed {
        workload: workload(service, id),
        release: release(service, id),
        made_by: Some((DeploymentId(1), "start".into())),
        fence: None,
        asked: if *state == InstanceState::Kept { 0 } else { count },
        instances: (1..=count).map(instance).collect(),
    });
    input
}

pub(crate) fn running(input: PlanInput, service: &str, id: &str, count: u32) -> PlanInput {
    with(input, service, id, count, &InstanceState::Running)
}

pub(crate) fn failed(input: PlanInput, service: &str, id: &str, count: u32) -> PlanInput {
    with(input, service, id, count, &InstanceState::Failed { reason: "exited with status 1".into() })
}

pub(crate) fn kept(input: PlanInput, service: &str, id: &str, count: u32) -> PlanInput {
    with(input, service, id, count, &InstanceState::Kept)
}

pub(crate) fn routed(mut input: PlanInput, service: &str, id: &str, count: u32) -> PlanInput {
    let shares = Shares::all_to(workload(service, id), Some(count));
    input.world.routes.entry("proxy".into()).or_default().insert(service.into(), shares);
    input
}

pub(crate) fn stored(mut input: PlanInput, id: &str) -> PlanInput {
    input.world.stored.insert(id.into());
    input
}

pub(crate) fn doubtful(mut input: PlanInput, service: &str) -> PlanInput {
    input.doubtful.insert(service.into());
    input
}

pub(crate) fn object(kind: &str, name: &str) -> Object {
    let object = ObjectRef { target: "host".into(), kind: kind.into(), name: name.into() };
    Object { object, spec: serde_json::Value::Null }
}

/// A world where such an earlier release was deployed, and stands on its objects.
pub(crate) fn deployed(mut input: PlanInput, spec: &ServiceSpec) -> PlanInput {
    let (service, id) = (spec.release.service.as_str().to_owned(), spec.release.id.as_str().to_owned());
    let Count::Exactly(count) = spec.count else { panic!("{spec:?}") };
    input = running(stored(input, &id), &service, &id, count);
    if spec.router.is_some() {
        input = routed(input, &service, &id, count);
    }
    for object in &spec.objects {
        if !input.world.objects.contains(object) {
            input.world.objects.push(object.clone());
        }
    }
    input.known.insert(spec.release.id.clone(), spec.clone());
    let (fronts, disposable) = (["proxy".to_owned()].into(), ["network".to_owned()].into());
    input.capabilities.insert("host".into(), Capabilities { fronts, disposable, ..Capabilities::default() });
    input
}
