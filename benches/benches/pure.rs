//! What costs nothing but computing: a Compose file loaded, a plan made, a journal line written and read, a deployment
//! folded out of its journal. `cargo bench -p deploy-benches`.

use criterion::{Criterion, criterion_group, criterion_main};
use deploy_compose::Loader;
use deploy_core::{
    engine::State,
    journal::{Record, read_line, write_line},
    model::{Event, Fence, Outcome, Plan, ServiceSpec, TargetId, WorkloadRef, World},
    strategy::{PlanInput, Rolling, Strategy},
};
use serde_json::json;
use std::{collections::BTreeMap, fmt::Write as _, hint::black_box};

/// How many services a project has: more than most.
const SERVICES: usize = 20;

fn spec(number: usize, release: &str) -> ServiceSpec {
    let name = format!("service{number}");
    let spec = json!({
        "release": { "id": format!("{name}-{release}"), "service": name, "version": release, "artifact": "sha256:0" },
        "count": { "exactly": 4 },
        "router": "shop",
        "order": "start-first",
        "batch": { "size": 1 },
        "check": { "name": "tcp", "params": { "port": 8080 } },
        "clocks": { "interval": 500, "successes": 1, "healthy_for": 0, "healthy_by": 60000, "progress_by": 60000 },
        "bake": 0,
        "drain_by": 30000,
        "stop_by": 10000,
        "keep_failed": false,
    });
    serde_json::from_value(spec).expect("a service")
}

/// Every service has an old release that serves, and a new one that is wanted.
fn input() -> PlanInput {
    let target = TargetId::new("shop");
    let mut world = World::default();
    for number in 0..SERVICES {
        let old = spec(number, "old").release;
        let workload = WorkloadRef { target: target.clone(), service: old.service.clone(), release: old.id.clone() };
        let share = deploy_core::model::Shares::all_to(workload.clone(), Some(4));
        world.routes.entry("shop".into()).or_default().insert(old.service.clone(), share);
        let observed = json!({ "workload": workload, "release": old, "asked": 4, "instances": [] });
        world.workloads.push(serde_json::from_value(observed).expect("a workload"));
    }
    PlanInput {
        home: target,
        wanted: (0..SERVICES).map(|number| spec(number, "new")).collect(),
        world,
        known: BTreeMap::new(),
        doubtful: Default::default(),
        capabilities: BTreeMap::new(),
    }
}

/// A deployment's journal, from its plan to the end of its last step.
fn journal(plan: &Plan) -> Vec<Record> {
    let mut events = vec![
        Event::Planned { plan: Box::new(plan.clone()) },
        Event::LeaseTaken { fences: BTreeMap::from([(plan.home.clone(), Fence(1))]), holder: "a benchmark".into() },
    ];
    for step in &plan.steps {
        events.push(Event::StepStarted { step: step.id.clone() });
        events.push(Event::StepEnded { step: step.id.clone(), outcome: Outcome::Applied });
    }
    (1..).zip(events).map(|(seq, event)| Record::new(seq, Fence(1), event)).collect()
}

fn compose_file() -> String {
    let mut text = String::from("x-usual: &usual\n  restart: unless-stopped\n  init: true\nservices:\n");
    for number in 0..SERVICES {
        let port = 8000 + number;
        let _ = writeln!(
            text,
            "  service{number}:\n    <<: *usual\n    image: acme/service:${{TAG:-1.0}}\n    ports: ['{port}:8080']\n    environment:\n      PORT: 8080\n      NAME: service{number}\n    volumes: ['data{number}:/data']\n    healthcheck: {{ test: [CMD, /healthy], interval: 30s }}"
        );
    }
    text.push_str("volumes:\n");
    (0..SERVICES).for_each(|number| text.push_str(&format!("  data{number}: {{}}\n")));
    text
}

fn benches(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("compose.yaml"), compose_file()).expect("a file");
    c.bench_function("load a Compose file of 20 services", |b| {
        b.iter(|| Loader::new(black_box(folder.path())).name("shop").load().expect("a project"));
    });
    let input = input();
    c.bench_function("plan 20 services of 4 instances, one by one", |b| {
        b.iter(|| Rolling.plan(black_box(&input)).expect("a plan"));
    });
    let plan = Rolling.plan(&input).expect("a plan");
    let records = journal(&plan);
    c.bench_function("write and read a journal line", |b| {
        b.iter(|| read_line(&write_line(black_box(&records[2])).expect("a line")).expect("a record"));
    });
    c.bench_function(&format!("fold a journal of {} records", records.len()), |b| {
        b.iter(|| State::replay(black_box(&records)).expect("a state"));
    });
}

criterion_group!(pure, benches);
criterion_main!(pure);
