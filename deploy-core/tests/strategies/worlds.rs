use deploy_core::{
    model::{
        BasisPoints, Batch, Clocks, Count, Instance, InstanceState, Millis, Named, Observed, Order, Release,
        ServiceSpec, Shares, WorkloadRef, World,
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
        made_by: None,
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
