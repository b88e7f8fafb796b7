use super::{DeploymentId, Fence, Instance, InstanceState, Object, Release, ReleaseId, RouterId, ServiceName, Shares};
use super::{StepId, WorkloadRef};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What was observed of one target or, merged, of several: our own things only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// Every set that has at least one instance, kept ones too.
    pub workloads: Vec<Observed>,
    /// Who answers whose requests.
    pub routes: BTreeMap<RouterId, BTreeMap<ServiceName, Shares>>,
    /// The objects that we applied, as they were asked for.
    pub objects: Vec<Object>,
    /// Releases whose payload lies in the store.
    pub stored: BTreeSet<ReleaseId>,
}

/// A set, as observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Which set.
    pub workload: WorkloadRef,
    /// What it runs, as its labels tell.
    pub release: Release,
    /// The deployment and step that made it last, if it was one of ours.
    pub made_by: Option<(DeploymentId, StepId)>,
    /// The fence under which it was made.
    pub fence: Option<Fence>,
    /// How many instances are asked for; kept ones don't count.
    pub asked: u32,
    /// The instances, by ordinal.
    pub instances: Vec<Instance>,
}

impl Observed {
    /// What is observed of a set without instances.
    pub fn nothing(workload: &WorkloadRef) -> Self {
        let release = Release {
            id: workload.release.clone(),
            service: workload.service.clone(),
            version: String::new(),
            artifact: String::new(),
        };
        Self { workload: workload.clone(), release, made_by: None, fence: None, asked: 0, instances: Vec::new() }
    }

    /// The instances that run or are to run: kept ones left out.
    pub fn live(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().filter(|instance| instance.state != InstanceState::Kept)
    }
}

impl World {
    /// The set, if it has an instance.
    pub fn workload(&self, workload: &WorkloadRef) -> Option<&Observed> {
        self.workloads.iter().find(|observed| observed.workload == *workload)
    }

    /// How many instances of the set are asked for.
    pub fn asked(&self, workload: &WorkloadRef) -> u32 {
        self.workload(workload).map_or(0, |observed| observed.asked)
    }

    /// The sets of a service.
    pub fn of_service(&self, service: &ServiceName) -> impl Iterator<Item = &Observed> {
        self.workloads.iter().filter(move |observed| observed.workload.service == *service)
    }

    /// Who answers a service's requests; nobody where the router knows none.
    pub fn shares(&self, router: &RouterId, service: &ServiceName) -> Shares {
        self.routes.get(router).and_then(|services| services.get(service)).cloned().unwrap_or_default()
    }

    /// The router that sends a service's requests to somebody, if one does.
    pub fn routing(&self, service: &ServiceName) -> Option<&RouterId> {
        let routes = |services: &BTreeMap<_, Shares>| services.get(service).is_some_and(|shares| !shares.is_empty());
        self.routes.iter().find(|(_, services)| routes(services)).map(|(router, _)| router)
    }

    /// Adds what was observed of another target.
    pub fn merge(&mut self, other: Self) {
        self.workloads.extend(other.workloads);
        for (router, services) in other.routes {
            self.routes.entry(router).or_default().extend(services);
        }
        self.objects.extend(other.objects);
        self.stored.extend(other.stored);
    }
}
