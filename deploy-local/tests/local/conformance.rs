//! The suite that every target must pass.

use std::sync::Mutex;

use async_trait::async_trait;
use deploy_core::model::{Object, Payload, Release, ServiceSpec};
use deploy_core::prober::Probe;
use deploy_core::testing::Deployer;
use deploy_core::testing::conformance::{self, Subject};
use deploy_local::Local;

use crate::Outcome;
use crate::stage::Stage;

struct Processes {
    stage: Stage,
    given: Vec<(ServiceSpec, Payload)>,
    /// Those of the case under way.
    open: Mutex<Vec<Local>>,
}

#[async_trait]
impl Subject for Processes {
    async fn reset(&self) -> Result<(), String> {
        if let Ok(mut open) = self.open.lock() {
            open.clear();
        }
        self.stage.down().await.map_err(|error| error.to_string())
    }

    async fn deployer(&self) -> Result<Deployer, String> {
        let local = self.stage.open().await.map_err(|error| error.to_string())?;
        let hands = Deployer {
            target: local.target(),
            routers: vec![local.router()],
            lease: local.lease(),
            journal: local.journal(),
        };
        if let Ok(mut open) = self.open.lock() {
            open.push(local);
        }
        Ok(hands)
    }

    fn releases(&self) -> [(Release, Payload); 2] {
        [0, 1].map(|index| {
            let (spec, payload) = &self.given[index];
            (spec.release.clone(), payload.clone())
        })
    }

    fn objects(&self) -> Vec<Object> {
        self.given[0].0.objects.clone()
    }

    fn probe(&self) -> Probe {
        Probe::Http { port: 80, path: "/".into(), host: None }
    }
}

pub(crate) async fn passes() -> Outcome {
    let stage = Stage::new()?;
    let local = stage.open().await?;
    let mut given = Vec::new();
    for version in ["1", "2"] {
        let request = local.request(&[stage.service(version)?.env("START_MS", "100")])?;
        let spec = request.services.into_iter().next().ok_or("expected a service")?;
        let payload = request.payloads.into_values().next().ok_or("expected a payload")?;
        given.push((spec, payload));
    }
    drop(local);
    let subject = Processes { stage, given, open: Mutex::default() };
    let report = conformance::run("local", &subject).await;
    report.record()?;
    subject.open.lock().map_err(|_| "a case failed badly")?.clear();
    subject.stage.down().await?;
    println!("{report}");
    match report.is_passed() {
        true => Ok(()),
        false => Err(report.to_string().into()),
    }
}
