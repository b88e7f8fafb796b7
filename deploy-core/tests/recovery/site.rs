use deploy_core::{
    engine::{Engine, EngineError, Finish, Options, Report, Request},
    model::{BasisPoints, Batch, Clocks, Count, End, Millis, Named, Order, Payload, Release, ServiceSpec, Shares},
    strategy::Rolling,
    testing::{Deployer, SimSettings, SimWorld, faults::Faults},
};
use serde_json::json;

pub(crate) fn release(id: &str) -> Release {
    Release { id: id.into(), service: "web".into(), version: String::new(), artifact: "an image".into() }
}

pub(crate) fn spec(world: &SimWorld, id: &str, count: u32) -> ServiceSpec {
    ServiceSpec {
        release: release(id),
        count: Count::Exactly(count),
        router: Some(world.router_id()),
        order: Order::StartFirst,
        batch: Batch::Share(BasisPoints::ALL),
        check: Named::new("own", json!({})),
        clocks: Clocks { healthy_by: Millis::from_secs(3), progress_by: Millis::from_secs(3), ..Clocks::default() },
        smoke: Vec::new(),
        bake: Millis::ZERO,
        drain_by: Millis::from_secs(10),
        stop_by: Millis::from_secs(10),
        needs: Vec::new(),
        lives_in: Vec::new(),
        objects: Vec::new(),
        keep_failed: false,
        notes: Vec::new(),
    }
}

pub(crate) fn request(spec: ServiceSpec) -> Request {
    let payloads = [(spec.release.id.clone(), Payload::new("configuration"))].into();
    Request { services: vec![spec], payloads }
}

/// A world where `web-1` serves with two instances.
pub(crate) fn world() -> SimWorld {
    let world = SimWorld::new(SimSettings::host());
    world.runs(&release("web-1"), 2);
    world
}

pub(crate) fn engine(deployer: Deployer) -> Engine {
    deployer.engine().build()
}

pub(crate) async fn deploy(engine: &Engine, spec: ServiceSpec) -> Result<Report, EngineError> {
    engine.deploy(&request(spec), &Rolling, &Options::default()).await
}

/// Deploys with faults; `None` where one of them ended the deployer.
pub(crate) async fn deploy_with(
    world: &SimWorld,
    faults: &Faults,
    spec: ServiceSpec,
) -> Option<Result<Report, EngineError>> {
    let engine = engine(faults.wrap(world.deployer()));
    faults.run(deploy(&engine, spec)).await
}

pub(crate) fn end(report: Result<Report, EngineError>) -> End {
    match report.unwrap().finish {
        Finish::Ended(end) => end,
        other => panic!("expected an end, but found {other:?}"),
    }
}

pub(crate) fn all_to(world: &SimWorld, id: &str, count: u32) -> Shares {
    Shares::all_to(world.workload(&"web".into(), &id.into()), Some(count))
}
