//! One service as it stands in the namespace: its Deployment, what that owns, and the Services that lead to it.

use crate::{
    hold::Hold,
    identity,
    kinds::{Deployment, ReplicaSet},
    names,
    stamp::{Made, Stamp},
    state::Known,
    trouble,
};
use deploy_core::{
    model::{Instance, InstanceState, Observed, Release, ReleaseId, ServiceName, Shares, TargetId, WorkloadRef},
    target::TargetError,
};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt;
use std::{collections::BTreeMap, sync::Arc};

/// The value of the hash label in a selector that selects nothing.
pub(crate) const NOBODY: &str = "nobody";

/// One service with its Deployment.
pub(crate) struct Site {
    pub(crate) service: ServiceName,
    pub(crate) deployment: Arc<Deployment>,
    /// What the Deployment's template is.
    pub(crate) current: ReleaseId,
    /// What is held beside it.
    pub(crate) held: Option<(ReleaseId, Hold)>,
    /// Releases with a record of a hold that isn't there: not begun yet, ended, or written down too late by somebody whose
    /// lease was over.
    pub(crate) not_held: Vec<ReleaseId>,
    /// Its ReplicaSets, the newest first, and its pods.
    pub(crate) sets: Vec<Set>,
    /// The Services that lead to it and to nothing else, by name.
    pub(crate) services: Vec<Arc<Service>>,
    known: BTreeMap<ReleaseId, Known>,
}

/// A ReplicaSet.
pub(crate) struct Set {
    pub(crate) release: ReleaseId,
    pub(crate) set: Arc<ReplicaSet>,
    /// Its pods, the oldest first, those on their way out too.
    pub(crate) pods: Vec<Arc<Pod>>,
}

/// What a site is made of.
pub(crate) struct Parts {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) sets: Vec<Arc<ReplicaSet>>,
    pub(crate) pods: Vec<Arc<Pod>>,
    pub(crate) services: Vec<Arc<Service>>,
    pub(crate) known: BTreeMap<ReleaseId, Known>,
}

impl Site {
    pub(crate) fn of(service: &ServiceName, parts: Parts, hash: impl Fn(&str) -> String) -> Self {
        let Parts { deployment, sets, pods, mut services, known } = parts;
        let id = |template: &serde_json::Value| identity::release_id(service, template, &hash);
        let mut sets: Vec<_> = sets.into_iter().filter(|set| set.is_owned_by(&deployment)).collect();
        sets.sort_by_key(|set| std::cmp::Reverse(set.revision()));
        let sets = sets.into_iter().map(|set| Set { release: id(&set.template()), pods: pods_of(&set, &pods), set });
        services.retain(|service| Leads::of(service, &deployment.spec) == Leads::Here);
        let current = id(deployment.template());
        let (held, not_held) = holds(&known, &current, &deployment, &services);
        Self { service: service.clone(), current, held, not_held, sets: sets.collect(), services, known, deployment }
    }

    /// The newest ReplicaSet of a release.
    pub(crate) fn set(&self, release: &ReleaseId) -> Option<&Set> {
        self.sets.iter().find(|set| set.release == *release)
    }

    /// What tells a release's pods from others.
    pub(crate) fn hash(&self, release: &ReleaseId) -> Option<&str> {
        self.set(release)?.set.hash()
    }

    /// How many pods of a release are asked for.
    pub(crate) fn asked(&self, release: &ReleaseId) -> u32 {
        let held = self.held.as_ref().is_some_and(|(held, _)| held == release);
        if *release == self.current || held { self.deployment.replicas() } else { 0 }
    }

    /// The name, version and images of a release, as they were stored, or else as its template tells.
    pub(crate) fn release(&self, id: &ReleaseId, template: &serde_json::Value) -> Release {
        match self.known.get(id) {
            Some(known) => known.release.clone(),
            None => identity::release(&self.service, id.clone(), template),
        }
    }

    /// A release's template.
    pub(crate) fn template(&self, release: &ReleaseId) -> Result<serde_json::Value, TargetError> {
        match self.set(release) {
            _ if *release == self.current => Ok(self.deployment.template().clone()),
            Some(set) => Ok(set.set.template()),
            None => Err(TargetError::Conflict {
                expected: format!("a ReplicaSet of {release}"),
                found: format!("none: somebody deleted it, or {} keeps too short a history", self.service),
            }),
        }
    }

    /// What is to be said where somebody else changed the template.
    pub(crate) fn foreign(&self, deployment: &Deployment, expected: &ReleaseId) -> TargetError {
        let theirs = deployment.metadata.managed_fields.iter().flatten().filter(|one| one.subresource.is_none());
        let last = theirs
            .filter(|one| one.manager.as_deref() != Some(names::MANAGER))
            .max_by_key(|one| one.time.as_ref().map(|time| time.0));
        let by = last.and_then(|one| one.manager.as_deref()).unwrap_or("somebody else");
        TargetError::Conflict {
            expected: format!("{} as {expected} has it", self.service),
            found: format!("another pod template, last written by {by}"),
        }
    }

    /// The releases whose configuration is stored and that don't run, the newest first.
    pub(crate) fn kept(&self) -> Vec<ReleaseId> {
        let is_kept = |release: &&ReleaseId| {
            **release != self.current && self.held.as_ref().is_none_or(|(held, _)| held != *release)
        };
        let mut kept: Vec<_> = self.known.keys().filter(is_kept).collect();
        kept.sort_by_key(|release| std::cmp::Reverse(self.set(release).map(|set| set.set.revision())));
        kept.into_iter().cloned().collect()
    }

    /// The sets that run, and those that could run again because their configuration is stored.
    pub(crate) fn observed(&self, target: &TargetId) -> Vec<Observed> {
        let mut observed: Vec<Observed> = Vec::new();
        if self.set(&self.current).is_none() {
            // the controller hasn't made it yet
            observed.push(self.observe(target, &self.current, None));
        }
        for set in &self.sets {
            let is_first = observed.iter().all(|other| other.workload.release != set.release);
            let is_there = self.asked(&set.release) > 0 || set.pods.iter().any(|pod| !is_leaving(pod));
            if is_first && (is_there || set.release == self.current || self.known.contains_key(&set.release)) {
                observed.push(self.observe(target, &set.release, Some(set)));
            }
        }
        observed
    }

    fn observe(&self, target: &TargetId, release: &ReleaseId, set: Option<&Set>) -> Observed {
        let of_deployment = Stamp::on(&self.deployment.metadata).filter(|_| *release == self.current);
        let stamp = of_deployment.or_else(|| Stamp::on(&set?.set.metadata));
        let made = stamp.as_ref().and_then(|stamp| stamp.made.clone()).filter(|made| made.release == *release);
        let template = set.map_or_else(|| self.deployment.template().clone(), |set| set.set.template());
        Observed {
            workload: WorkloadRef { target: target.clone(), service: self.service.clone(), release: release.clone() },
            release: self.release(release, &template),
            fence: stamp.filter(|_| made.is_some()).map(|stamp| stamp.fence),
            made_by: made.map(|Made { deployment, step, .. }| (deployment, step)),
            asked: self.asked(release),
            instances: set.map(instances).unwrap_or_default(),
        }
    }

    /// To whom a Service's requests go.
    fn leads(&self, target: &TargetId, service: &Service) -> Shares {
        let workload = |release: &ReleaseId| WorkloadRef {
            target: target.clone(),
            service: self.service.clone(),
            release: release.clone(),
        };
        match (pin(service), &self.held) {
            (Some(hash), _) => match self.sets.iter().find(|set| set.set.hash() == Some(hash)) {
                Some(set) => Shares::all_to(workload(&set.release), None),
                None => Shares::none(),
            },
            (None, Some((held, _))) if *held != self.current => {
                let count = self.deployment.replicas();
                Shares::by_instances([(workload(held), count), (workload(&self.current), count)])
            }
            _ if self.deployment.replicas() == 0 => Shares::none(),
            _ => Shares::all_to(workload(&self.current), None),
        }
    }

    /// Who answers. Services are moved in the order of their names, and all are moved once the last one is.
    pub(crate) fn shares(&self, target: &TargetId) -> Shares {
        self.services.last().map(|service| self.leads(target, service)).unwrap_or_default()
    }
}

/// What is held, and the releases with a record of a hold that isn't there.
fn holds(
    known: &BTreeMap<ReleaseId, Known>,
    current: &ReleaseId,
    deployment: &Deployment,
    services: &[Arc<Service>],
) -> (Option<(ReleaseId, Hold)>, Vec<ReleaseId>) {
    let is_narrowed = services.iter().any(|service| pin(service).is_some());
    let records = known.iter().filter_map(|(release, known)| {
        let hold: Hold = serde_json::from_str(known.hold.as_deref()?).ok()?;
        Some((release.clone(), hold))
    });
    let (mut there, not_there): (Vec<_>, Vec<_>) = records.partition(|(_, hold)| is_narrowed || hold.is_on(deployment));
    // the one about what runs, if somebody wrote another down too late
    there.sort_by_key(|(held, hold)| held != current && hold.beside != *current);
    let mut there = there.into_iter();
    let held = there.next();
    (held, there.chain(not_there).map(|(release, _)| release).collect())
}

/// The hash that a Service is narrowed to.
pub(crate) fn pin(service: &Service) -> Option<&str> {
    service.spec.as_ref()?.selector.as_ref()?.get(names::HASH).map(String::as_str)
}

/// How a Service stands to a Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// It selects none of its pods.
    Elsewhere,
    /// It selects its pods and, as far as labels tell, no others.
    Here,
    /// It selects by fewer labels than the Deployment does, so that it may lead to other pods too.
    HereAndElsewhere,
}

impl Leads {
    /// Whatever it is narrowed to for the time of a deployment.
    pub(crate) fn of(service: &Service, deployment: &serde_json::Value) -> Self {
        let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        let named: BTreeMap<&str, &str> = selector
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| *name != names::HASH)
            .collect();
        let labels = &deployment["template"]["metadata"]["labels"];
        if named.is_empty() || named.iter().any(|(name, value)| labels[*name] != **value) {
            return Self::Elsewhere;
        }
        let mut by = deployment["selector"]["matchLabels"].as_object().into_iter().flatten();
        match by.all(|(name, _)| named.contains_key(name.as_str())) {
            true => Self::Here,
            false => Self::HereAndElsewhere,
        }
    }
}

fn pods_of(set: &ReplicaSet, pods: &[Arc<Pod>]) -> Vec<Arc<Pod>> {
    let owned = |pod: &&Arc<Pod>| {
        pod.metadata.owner_references.iter().flatten().any(|owner| Some(&owner.uid) == set.metadata.uid.as_ref())
    };
    let mut pods: Vec<_> = pods.iter().filter(owned).cloned().collect();
    pods.sort_by_cached_key(|pod| (pod.creation_timestamp().map(|time| time.0), pod.name_any()));
    pods
}

/// Whether a pod is on its way out, or has ended for good: its set has another in its place then, and it is only listed still.
pub(crate) fn is_leaving(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_some() || matches!(phase, Some("Failed" | "Succeeded"))
}

/// A set's pods; where it gets none, one instance by the set's own name that tells why.
fn instances(set: &Set) -> Vec<Instance> {
    let pods = set.pods.iter().filter(|pod| !is_leaving(pod));
    let mut instances: Vec<_> = pods.zip(1..).map(|(pod, ordinal)| instance(pod, ordinal)).collect();
    if let (true, Some((message, is_certain))) = (instances.is_empty(), trouble::of_set(&set.set)) {
        let state = match is_certain {
            true => InstanceState::Failed { reason: message.to_owned() },
            false => InstanceState::Starting,
        };
        instances.push(Instance { name: set.set.name_any(), ordinal: 1, state, restarts: 0 });
    }
    instances
}

fn instance(pod: &Pod, ordinal: u32) -> Instance {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    let restarts = containers.clone().map(|one| u32::try_from(one.restart_count).unwrap_or(0)).sum();
    let is_running = |one: &k8s_openapi::api::core::v1::ContainerStatus| {
        one.state.as_ref().is_some_and(|state| state.running.is_some())
    };
    let state = match trouble::of_pod(pod) {
        Some(reason) => InstanceState::Failed { reason },
        None if containers.clone().next().is_some() && containers.clone().all(is_running) => InstanceState::Running,
        None => InstanceState::Starting,
    };
    Instance { name: pod.name_any(), ordinal, state, restarts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_leads_here_if_it_selects_by_all_that_the_deployment_does() {
        let deployment = json!({
            "selector": { "matchLabels": { "app": "shop", "tier": "web" } },
            "template": { "metadata": { "labels": { "app": "shop", "tier": "web", "track": "stable" } } },
        });
        let leads = |selector: serde_json::Value| {
            let service = json!({ "metadata": { "name": "s" }, "spec": { "selector": selector } });
            Leads::of(&serde_json::from_value(service).unwrap(), &deployment)
        };
        assert_eq!(leads(json!({ "app": "shop", "tier": "web" })), Leads::Here);
        assert_eq!(
            leads(json!({ "app": "shop", "tier": "web", "track": "stable", "pod-template-hash": "x" })),
            Leads::Here
        );
        assert_eq!(leads(json!({ "app": "shop" })), Leads::HereAndElsewhere);
        assert_eq!(leads(json!({ "app": "shop", "tier": "worker" })), Leads::Elsewhere);
        assert_eq!(leads(json!({})), Leads::Elsewhere);
    }

    /// What is held, and what is only written down, in a Deployment of version 2 that was of version 1 before.
    fn held(
        records: &[(&str, &str)],
        current: &str,
        spec: serde_json::Value,
        pins: &[Option<&str>],
    ) -> (String, Vec<String>) {
        let before = Deployment::default();
        let known = records.iter().map(|(held, beside)| {
            let release = identity::release(&"web".into(), (*held).into(), &json!({}));
            let hold = Hold::of(&before, held, &(*beside).into());
            (release.id.clone(), Known { release, hold: Some(hold.text()), seen: None })
        });
        let service = |pin: &Option<&str>| {
            let mut service = json!({ "metadata": {}, "spec": { "selector": { "app": "web" } } });
            if let Some(pin) = pin {
                service["spec"]["selector"][names::HASH] = json!(pin);
            }
            Arc::new(serde_json::from_value(service).unwrap())
        };
        let services: Vec<Arc<Service>> = pins.iter().map(service).collect();
        let deployment = Deployment { spec, ..Deployment::default() };
        let (held, not_held) = holds(&known.collect(), &current.into(), &deployment, &services);
        let held = held.map(|(held, _)| held.to_string()).unwrap_or_default();
        (held, not_held.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_hold_is_there_from_the_first_thing_that_it_changes_to_the_last() {
        let (record, on) = ([("web-1", "web-2")], json!({ "minReadySeconds": i32::MAX - 1 }));
        let of =
            |current, spec: &serde_json::Value, pins: [Option<&str>; 2]| held(&record, current, spec.clone(), &pins);
        let (there, not_there) = ((String::from("web-1"), Vec::new()), (String::new(), vec![String::from("web-1")]));
        assert_eq!(of("web-1", &json!({}), [None, None]), not_there, "written down");
        assert_eq!(of("web-1", &json!({}), [Some("web-1"), None]), there, "one Service narrowed");
        assert_eq!(of("web-2", &on, [Some("web-1"), Some("web-1")]), there, "held");
        assert_eq!(of("web-2", &on, [Some("web-2"), Some("web-1")]), there, "one Service moved");
        assert_eq!(of("web-2", &json!({}), [Some("web-2"), Some("web-2")]), there, "ended");
        assert_eq!(of("web-2", &json!({}), [None, Some("web-2")]), there, "one Service given back");
        assert_eq!(of("web-2", &json!({}), [None, None]), not_there, "all given back");
        assert_eq!(held(&record, "web-2", on, &[]).0, "web-1", "held, without Services");
    }

    #[test]
    fn a_record_that_came_too_late_hides_no_hold() {
        let records = [("web-0", "web-1"), ("web-2", "web-3")];
        let found = held(&records, "web-3", json!({ "paused": true }), &[Some("web-2")]);
        assert_eq!(found, ("web-2".into(), vec!["web-0".into()]));
        assert_eq!(held(&records[..1], "web-3", json!({}), &[None]), (String::new(), vec!["web-0".into()]));
    }
}
