use super::{Names, deployments::Entry, table::table, text};
use deploy_core::model::{InstanceState, ReleaseId, ServiceName, World};
use serde::Serialize;
use std::collections::BTreeMap;

/// What serves now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Status {
    /// The project's name.
    pub project: String,
    /// Each release of each service that has an instance.
    pub releases: Vec<Serving>,
    /// The last deployment, if there was one.
    pub last: Option<Entry>,
}

/// How one release of a service stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Serving {
    /// Whose release.
    pub service: ServiceName,
    /// Which one.
    pub release: ReleaseId,
    /// What people call it.
    pub name: String,
    /// How many instances are asked for.
    pub asked: u32,
    /// How many run.
    pub running: u32,
    /// How many have ended and won't run again by themselves.
    pub failed: u32,
    /// How many are stopped and kept for a fast way back.
    pub kept: u32,
    /// How much of the service's requests it answers, in percent; absent where nothing routes.
    pub requests: Option<u32>,
}

impl Status {
    /// Reads it from what was observed.
    pub fn new(project: &str, world: &World, names: &Names, last: Option<Entry>) -> Self {
        let mut releases = serving(world, names);
        releases.sort_by(|a, b| {
            a.service.cmp(&b.service).then(b.asked.cmp(&a.asked)).then_with(|| a.release.cmp(&b.release))
        });
        Self { project: project.into(), releases, last }
    }

    /// For people: a line a release, then what is kept.
    pub fn text(&self) -> String {
        let mut text = match &self.last {
            Some(last) => format!("{}: {}\n", self.project, last.sentence()),
            None => format!("{}: nothing was deployed yet\n", self.project),
        };
        let is_live = |one: &&Serving| one.asked > 0 || one.kept == 0 && (one.running > 0 || one.failed > 0);
        let (live, kept): (Vec<_>, Vec<_>) = self.releases.iter().partition(is_live);
        if !live.is_empty() {
            let rows: Vec<_> = live.into_iter().map(Serving::row).collect();
            text.push('\n');
            text.push_str(&table(&["service", "release", "instances", "requests"], &rows));
        }
        if !kept.is_empty() {
            let mut by_service: BTreeMap<&ServiceName, Vec<&str>> = BTreeMap::new();
            kept.iter().for_each(|one| by_service.entry(&one.service).or_default().push(&one.name));
            let kept: Vec<_> =
                by_service.iter().map(|(service, names)| format!("{service} {}", names.join(", "))).collect();
            text.push('\n');
            text.push_str(&text::wrap("kept for a fast way back: ", &kept.join("; ")));
        }
        text
    }
}

impl Serving {
    fn row(&self) -> Vec<String> {
        let instances = match (self.running == self.asked, self.failed) {
            (true, 0) => format!("{} running", self.running),
            (false, 0) => format!("{} of {} running", self.running, self.asked),
            (_, failed) => format!("{} of {} running, {failed} failed", self.running, self.asked),
        };
        vec![self.service.to_string(), self.name.clone(), instances, self.requests()]
    }

    fn requests(&self) -> String {
        match self.requests {
            None => "not routed".into(),
            Some(0) => "none".into(),
            Some(100) => "all".into(),
            Some(percent) => format!("{percent} %"),
        }
    }

    /// In a few words: `v1, 4 instances, all requests`.
    pub(super) fn sentence(&self) -> String {
        let running = match self.running == self.asked {
            true => text::count(self.running, "instance"),
            false => format!("{} of {}", self.running, text::count(self.asked, "instance")),
        };
        let requests = match self.requests {
            None => String::new(),
            Some(_) => format!(", {} requests", self.requests().replace('%', "% of the")),
        };
        format!("{}, {running}{requests}", self.name)
    }
}

/// Every release that has an instance.
pub(super) fn serving(world: &World, names: &Names) -> Vec<Serving> {
    let of = |state: fn(&InstanceState) -> bool| {
        move |observed: &deploy_core::model::Observed| {
            observed.instances.iter().filter(|one| state(&one.state)).count() as u32
        }
    };
    let running = of(|state| matches!(state, InstanceState::Running));
    let failed = of(|state| matches!(state, InstanceState::Failed { .. }));
    let kept = of(|state| matches!(state, InstanceState::Kept));
    world
        .workloads
        .iter()
        .map(|observed| Serving {
            service: observed.workload.service.clone(),
            release: observed.workload.release.clone(),
            name: names.of(&observed.workload.release),
            asked: observed.asked,
            running: running(observed),
            failed: failed(observed),
            kept: kept(observed),
            requests: requests(world, observed),
        })
        .collect()
}

/// Its share of the service's requests, where a router knows the service.
fn requests(world: &World, observed: &deploy_core::model::Observed) -> Option<u32> {
    let mut routers = world.routes.values().filter_map(|services| services.get(&observed.workload.service));
    let shares = routers.next()?;
    let total: u32 = shares.iter().map(|share| u32::from(share.weight.0)).sum();
    let ours = shares.of(&observed.workload).map_or(0, |share| u32::from(share.weight.0));
    (ours * 100).checked_div(total).or(Some(0))
}
