//! The suite passes on the simulated target in both personalities, and fails on targets with a defect.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use async_trait::async_trait;
use deploy_core::{
    lease::LeaseEnd,
    model::{
        Capabilities, Fence, Instance, Object, ObjectRef, Pace, Payload, Release, ReleaseId, ServiceName, TargetId,
        WorkloadRef, World,
    },
    prober::Prober,
    target::{Cx, Target, TargetError},
    testing::{
        Deployer, Personality, SimSettings, SimTarget, SimWorld,
        conformance::{self, Report, Subject, Verdict},
        virtual_time,
    },
};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// A simulated world, each time a new one, with a defect in its target's hands.
struct SimSubject {
    settings: SimSettings,
    defect: Option<Defect>,
    world: Mutex<SimWorld>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    /// Every instance is made anew by each `ensure`.
    EnsureStartsOver,
    /// One instance too many.
    EnsureMakesMore,
    /// What is to be kept is removed.
    KeepsNothing,
    /// What isn't there can't be removed.
    RemoveWantsIt,
    /// Nothing is refused as stale.
    KnowsNoFence,
    /// Other services are reported too.
    ReportsEverything,
    /// Payloads aren't reported.
    ForgetsPayloads,
    /// Objects aren't reported.
    ForgetsObjects,
    /// All lines, whatever was asked for.
    LogsEverything,
    /// Kept sets go before their time.
    PrunesEverything,
}

struct DefectTarget {
    inner: Arc<SimTarget>,
    defect: Defect,
}

impl DefectTarget {
    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn cx(&self, cx: &Cx) -> Cx {
        Cx { fence: if self.has(Defect::KnowsNoFence) { Fence(u64::MAX) } else { cx.fence }, ..cx.clone() }
    }
}

#[async_trait]
impl Target for DefectTarget {
    fn id(&self) -> &TargetId {
        self.inner.id()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        let web = [ServiceName::new("web")];
        let everything = self.has(Defect::ReportsEverything);
        let mut world = self.inner.observe(if everything { &web } else { services }).await?;
        if self.has(Defect::ForgetsPayloads) {
            world.stored.clear();
        }
        if self.has(Defect::ForgetsObjects) {
            world.objects.clear();
        }
        Ok(world)
    }

    async fn store(&self, cx: &Cx, release: &Release, payload: &Payload) -> Result<(), TargetError> {
        self.inner.store(cx, release, payload).await
    }

    async fn ensure(&self, cx: &Cx, workload: &WorkloadRef, count: Option<u32>) -> Result<(), TargetError> {
        if self.has(Defect::EnsureStartsOver) {
            self.inner.remove(cx, workload, false).await?;
        }
        let more = u32::from(self.has(Defect::EnsureMakesMore));
        self.inner.ensure(&self.cx(cx), workload, count.map(|count| count + more)).await
    }

    async fn remove(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        if self.has(Defect::RemoveWantsIt) {
            let world = self.inner.observe(std::slice::from_ref(&workload.service)).await?;
            world.workload(workload).ok_or_else(|| TargetError::Rejected { why: "there is none".into() })?;
        }
        self.inner.remove(&self.cx(cx), workload, keep && !self.has(Defect::KeepsNothing)).await
    }

    fn prober(&self) -> &dyn Prober {
        self.inner.prober()
    }

    async fn replace(&self, cx: &Cx, workload: &WorkloadRef, from: &ReleaseId, pace: Pace) -> Result<(), TargetError> {
        self.inner.replace(&self.cx(cx), workload, from, pace).await
    }

    async fn apply(&self, cx: &Cx, object: &Object) -> Result<(), TargetError> {
        self.inner.apply(&self.cx(cx), object).await
    }

    async fn delete(&self, cx: &Cx, object: &ObjectRef) -> Result<(), TargetError> {
        self.inner.delete(&self.cx(cx), object).await
    }

    async fn adopt(&self, cx: &Cx, before: LeaseEnd) -> Result<(), TargetError> {
        self.inner.adopt(cx, before).await
    }

    async fn prune(&self, cx: &Cx, service: &ServiceName, keep: usize) -> Result<(), TargetError> {
        self.inner.prune(cx, service, if self.has(Defect::PrunesEverything) { 0 } else { keep }).await
    }

    async fn logs(&self, instance: &Instance, lines: usize) -> Result<Vec<String>, TargetError> {
        self.inner.logs(instance, if self.has(Defect::LogsEverything) { 1000 } else { lines }).await
    }
}

impl SimSubject {
    fn new(settings: SimSettings, defect: Option<Defect>) -> Self {
        Self { world: Mutex::new(SimWorld::new(settings.clone())), settings, defect }
    }
}

#[async_trait]
impl Subject for SimSubject {
    async fn reset(&self) -> Result<(), String> {
        *self.world.lock().unwrap() = SimWorld::new(self.settings.clone());
        Ok(())
    }

    async fn deployer(&self) -> Result<Deployer, String> {
        let world = self.world.lock().unwrap().clone();
        let deployer = world.deployer();
        Ok(match self.defect {
            None => deployer,
            Some(defect) => Deployer { target: Arc::new(DefectTarget { inner: world.target(), defect }), ..deployer },
        })
    }

    fn releases(&self) -> [(Release, Payload); 2] {
        ["web-1", "web-2"].map(|id| {
            let release =
                Release { id: id.into(), service: "web".into(), version: "1".into(), artifact: "an image".into() };
            (release, Payload::new("configuration"))
        })
    }

    fn objects(&self) -> Vec<Object> {
        let object = |name: &str| ObjectRef { target: "sim".into(), kind: "network".into(), name: name.into() };
        ["front", "back"].map(|name| Object { object: object(name), spec: json!({ "internal": true }) }).into()
    }
}

fn run(settings: SimSettings, defect: Option<Defect>) -> Report {
    virtual_time(async {
        let name = match settings.personality {
            Personality::Host => "simulated host",
            Personality::Cluster => "simulated cluster",
        };
        conformance::run(name, &SimSubject::new(settings, defect)).await
    })
    .unwrap()
}

#[test]
fn both_personalities_pass() {
    for seed in 0..5 {
        for settings in [SimSettings::host(), SimSettings::cluster()] {
            let report = run(settings.seeded(seed), None);
            report.record().unwrap();
            assert!(report.is_passed(), "{report}");
        }
    }
}

#[test]
fn a_host_answers_every_case_but_those_of_replacement() {
    let report = run(SimSettings::host(), None);
    let left = report.lines.iter().filter(|line| line.verdict != Verdict::Passed).count();
    assert_eq!(left, 2, "{report}");
}

#[test]
fn every_defect_is_found() {
    let found = [
        (Defect::EnsureStartsOver, "ensure again changes nothing"),
        (Defect::EnsureMakesMore, "a started set is reported as asked for, with its maker"),
        (Defect::KeepsNothing, "a removed and kept set is not asked for, and stays known"),
        (Defect::RemoveWantsIt, "remove of what isn't there is fine"),
        (Defect::KnowsNoFence, "a late remove is refused or without effect"),
        (Defect::ReportsEverything, "nothing of another service is reported"),
        (Defect::ForgetsPayloads, "a stored payload is known, and may be stored again"),
        (Defect::ForgetsObjects, "an applied object is reported as described"),
        (Defect::LogsEverything, "logs yields the last lines, and no more"),
        (Defect::PrunesEverything, "prune leaves what runs and the newest kept"),
    ];
    for (defect, case) in found {
        let report = run(SimSettings::host(), Some(defect));
        assert!(report.failures().any(|line| line.case == case), "{report}");
    }
}
