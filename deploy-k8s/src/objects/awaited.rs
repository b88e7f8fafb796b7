//! When objects have come true, by their kinds: the rules of `kubectl rollout status` and `kubectl wait`.
//!
//! Waited for is what ends by itself, on every cluster, and where nothing of the deployment is needed for it. Not so:
//! - PersistentVolumeClaims: many are bound only once a pod wants them;
//! - Ingresses and Services of type LoadBalancer: there may be nobody who gives them an address;
//! - HorizontalPodAutoscalers, PodDisruptionBudgets: they are about pods that come later;
//! - CronJobs: nothing runs before their time;
//! - custom resources: what their conditions mean is their controller's affair, and there may be none.

use super::Resolved;
use crate::names::{NO_WAIT, WAIT};
use deploy_core::{health::Health, model::Awaited};
use serde_json::Value;

/// How a kind is waited for.
pub(crate) struct Rule {
    /// What plans call it.
    pub(crate) kind: &'static str,
    pub(crate) by: Awaited,
    /// Group, version, kind and plural, and whether it has a namespace.
    at: (&'static str, &'static str, &'static str, &'static str, bool),
    /// Whether one has come true.
    is: fn(&Value) -> Health,
}

pub(crate) const AWAITED: [Rule; 5] = [
    Rule { kind: "namespace", by: Awaited::ByObjects, at: ("", "v1", "Namespace", "namespaces", false), is: namespace },
    Rule {
        kind: "customresourcedefinition.apiextensions.k8s.io",
        by: Awaited::ByObjects,
        at: ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false),
        is: definition,
    },
    Rule {
        kind: "daemonset.apps",
        by: Awaited::ByServices,
        at: ("apps", "v1", "DaemonSet", "daemonsets", true),
        is: daemon_set,
    },
    Rule {
        kind: "statefulset.apps",
        by: Awaited::ByServices,
        at: ("apps", "v1", "StatefulSet", "statefulsets", true),
        is: stateful_set,
    },
    Rule { kind: "job.batch", by: Awaited::ByServices, at: ("batch", "v1", "Job", "jobs", true), is: job },
];

impl Rule {
    /// The kind, as manifests name it.
    pub(crate) fn name(&self) -> &'static str {
        self.at.2
    }

    /// That of a kind, if it is waited for.
    pub(crate) fn of(kind: &str) -> Option<&'static Self> {
        AWAITED.iter().find(|rule| rule.kind == kind)
    }

    /// The way to its objects.
    pub(crate) fn resource(&self) -> Resolved {
        let (group, version, kind, plural, is_namespaced) = self.at;
        Resolved::known(group, version, kind, plural, is_namespaced)
    }

    /// Whether an object of the kind has come true.
    pub(crate) fn look(&self, object: &Value) -> Health {
        match object["metadata"]["annotations"][WAIT].as_str() {
            Some(NO_WAIT) => Health::Healthy,
            _ => (self.is)(object),
        }
    }
}

fn namespace(object: &Value) -> Health {
    match object["status"]["phase"].as_str() {
        Some("Active") => Health::Healthy,
        Some("Terminating") => Health::Unhealthy("it is being deleted; try again once it is gone".into()),
        _ => Health::Waiting("it isn't active yet".into()),
    }
}

fn definition(object: &Value) -> Health {
    match (condition(object, "NamesAccepted"), condition(object, "Established")) {
        (Some((false, why)), _) => Health::Unhealthy(format!("its names aren't accepted: {why}")),
        (_, Some((true, _))) => Health::Healthy,
        _ => Health::Waiting("the cluster doesn't serve it yet".into()),
    }
}

fn daemon_set(object: &Value) -> Health {
    let status = |field: &str| count(&object["status"][field]);
    if !is_rolling(object) {
        return Health::Healthy;
    }
    if !is_observed(object) {
        return unseen();
    }
    let (wanted, updated, available) =
        (status("desiredNumberScheduled"), status("updatedNumberScheduled"), status("numberAvailable"));
    match updated >= wanted && available >= wanted {
        true => Health::Healthy,
        false => Health::Waiting(format!("{updated} of {wanted} pods updated, {available} available")),
    }
}

fn stateful_set(object: &Value) -> Health {
    let (spec, status) = (&object["spec"], |field: &str| count(&object["status"][field]));
    if !is_rolling(object) {
        return Health::Healthy;
    }
    if !is_observed(object) {
        return unseen();
    }
    let wanted = spec["replicas"].as_u64().unwrap_or(1);
    // those below it stay as they are
    let to_update = wanted.saturating_sub(count(&spec["updateStrategy"]["rollingUpdate"]["partition"]));
    let (updated, ready) = (status("updatedReplicas"), status("readyReplicas"));
    // once all are, the server no longer tells how many were updated
    let is_current = object["status"]["currentRevision"] == object["status"]["updateRevision"];
    match ready >= wanted && (updated >= to_update || is_current) {
        true => Health::Healthy,
        false => Health::Waiting(format!("{updated} of {to_update} pods updated, {ready} of {wanted} ready")),
    }
}

fn job(object: &Value) -> Health {
    let (spec, status) = (&object["spec"], |field: &str| count(&object["status"][field]));
    if let Some((true, why)) = condition(object, "Failed") {
        return Health::Unhealthy(format!("it failed: {why}"));
    }
    if let Some((true, _)) = condition(object, "Complete") {
        return Health::Healthy;
    }
    // whoever suspends one starts it when it is time
    if spec["suspend"] == true {
        return Health::Healthy;
    }
    let wanted = spec["completions"].as_u64().unwrap_or(1);
    Health::Waiting(format!(
        "{} of {wanted} pods succeeded, {} failed, {} run",
        status("succeeded"),
        status("failed"),
        status("active")
    ))
}

/// Whether its pods are exchanged when it changes, and not only when a person deletes them.
pub(super) fn is_rolling(object: &Value) -> bool {
    object["spec"]["updateStrategy"]["type"] != "OnDelete"
}

/// Whether what the status says is about what is asked for now.
pub(super) fn is_observed(object: &Value) -> bool {
    let observed = count(&object["status"]["observedGeneration"]);
    observed > 0 && observed >= count(&object["metadata"]["generation"])
}

fn unseen() -> Health {
    Health::Waiting("the cluster hasn't looked at it yet".into())
}

/// Whether a condition is true, and the words for it; none where nothing is said of it.
fn condition<'a>(object: &'a Value, name: &str) -> Option<(bool, &'a str)> {
    let all = object["status"]["conditions"].as_array()?;
    let one = all.iter().find(|one| one["type"] == name)?;
    let words = one["message"].as_str().filter(|words| !words.is_empty()).or(one["reason"].as_str());
    match one["status"].as_str() {
        Some("True") => Some((true, words.unwrap_or_default())),
        Some("False") => Some((false, words.unwrap_or_default())),
        _ => None,
    }
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What a look at an object says, in a few words.
    fn said(kind: &str, object: Value) -> String {
        match Rule::of(kind).unwrap().look(&object) {
            Health::Healthy => "true".into(),
            Health::Waiting(why) => format!("not yet: {why}"),
            Health::Unhealthy(why) => format!("never: {why}"),
            Health::CannotTell(why) => why,
        }
    }

    fn conditions(all: &[(&str, &str, &str)]) -> Value {
        let all =
            all.iter().map(|(name, status, message)| json!({ "type": name, "status": status, "message": message }));
        json!({ "status": { "conditions": all.collect::<Vec<_>>() } })
    }

    #[test]
    fn a_stateful_set_is_rolled_out_as_kubectl_has_it() {
        let set = |generation: u32, strategy: Value, status: Value| {
            let spec = json!({ "replicas": 3, "updateStrategy": strategy });
            said(
                "statefulset.apps",
                json!({ "metadata": { "generation": generation }, "spec": spec, "status": status }),
            )
        };
        let rolling = |partition: u32| json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": partition } });
        let status = |updated: u32, ready: u32, current: &str| {
            json!({
                "observedGeneration": 2, "updatedReplicas": updated, "readyReplicas": ready,
                "currentRevision": current, "updateRevision": "b",
            })
        };
        assert_eq!(set(2, rolling(0), status(1, 2, "a")), "not yet: 1 of 3 pods updated, 2 of 3 ready");
        assert_eq!(set(2, rolling(0), status(3, 2, "a")), "not yet: 3 of 3 pods updated, 2 of 3 ready");
        assert_eq!(set(2, rolling(0), status(3, 3, "a")), "true");
        assert_eq!(set(2, rolling(0), status(0, 3, "b")), "true", "it says nothing of updates once they are done");
        assert_eq!(set(2, rolling(2), status(0, 3, "a")), "not yet: 0 of 1 pods updated, 3 of 3 ready");
        assert_eq!(set(2, rolling(2), status(1, 3, "a")), "true", "those below the partition stay");
        assert_eq!(set(3, rolling(0), status(3, 3, "b")), "not yet: the cluster hasn't looked at it yet");
        assert_eq!(set(1, rolling(0), json!({})), "not yet: the cluster hasn't looked at it yet");
        assert_eq!(set(3, json!({ "type": "OnDelete" }), json!({})), "true", "a person exchanges its pods");
        let none = json!({ "metadata": { "generation": 1 }, "spec": { "replicas": 0 }, "status": { "observedGeneration": 1 } });
        assert_eq!(said("statefulset.apps", none), "true");
    }

    #[test]
    fn a_daemon_set_is_rolled_out_as_kubectl_has_it() {
        let set = |strategy: &str, status: Value| {
            let spec = json!({ "updateStrategy": { "type": strategy } });
            said("daemonset.apps", json!({ "metadata": { "generation": 2 }, "spec": spec, "status": status }))
        };
        let status = |observed: u32, updated: u32, available: u32| {
            json!({
                "observedGeneration": observed, "desiredNumberScheduled": 2,
                "updatedNumberScheduled": updated, "numberAvailable": available,
            })
        };
        assert_eq!(set("RollingUpdate", status(2, 1, 2)), "not yet: 1 of 2 pods updated, 2 available");
        assert_eq!(set("RollingUpdate", status(2, 2, 1)), "not yet: 2 of 2 pods updated, 1 available");
        assert_eq!(set("RollingUpdate", status(2, 2, 2)), "true");
        assert_eq!(set("RollingUpdate", status(1, 2, 2)), "not yet: the cluster hasn't looked at it yet");
        assert_eq!(set("OnDelete", status(1, 0, 0)), "true");
        assert_eq!(set("RollingUpdate", json!({ "observedGeneration": 2 })), "true", "no node wants it");
    }

    #[test]
    fn a_job_has_ended() {
        let mut running = json!({ "spec": { "completions": 2 }, "status": { "active": 1, "succeeded": 1 } });
        assert_eq!(said("job.batch", running.clone()), "not yet: 1 of 2 pods succeeded, 0 failed, 1 run");
        running["spec"]["suspend"] = json!(true);
        assert_eq!(said("job.batch", running), "true");
        assert_eq!(said("job.batch", json!({ "spec": {} })), "not yet: 0 of 1 pods succeeded, 0 failed, 0 run");
        assert_eq!(said("job.batch", conditions(&[("Complete", "True", "")])), "true");
        let failed = conditions(&[("Failed", "True", "Job has reached the specified backoff limit")]);
        assert_eq!(said("job.batch", failed), "never: it failed: Job has reached the specified backoff limit");
    }

    #[test]
    fn a_definition_is_served_and_a_namespace_active() {
        let definition = |all: &[_]| said("customresourcedefinition.apiextensions.k8s.io", conditions(all));
        assert_eq!(definition(&[]), "not yet: the cluster doesn't serve it yet");
        let accepted = ("NamesAccepted", "True", "no conflicts found");
        assert_eq!(definition(&[accepted, ("Established", "False", "")]), "not yet: the cluster doesn't serve it yet");
        assert_eq!(definition(&[accepted, ("Established", "True", "")]), "true");
        let taken = ("NamesAccepted", "False", "\"shops\" is already in use");
        assert_eq!(definition(&[taken]), "never: its names aren't accepted: \"shops\" is already in use");
        let namespace = |phase: &str| said("namespace", json!({ "status": { "phase": phase } }));
        assert_eq!(namespace("Active"), "true");
        assert_eq!(namespace("Terminating"), "never: it is being deleted; try again once it is gone");
        assert_eq!(said("namespace", json!({})), "not yet: it isn't active yet");
    }

    #[test]
    fn what_people_do_not_wait_for_is_not_waited_for() {
        let of = |wait: &str| {
            said(
                "job.batch",
                json!({ "metadata": { "annotations": { "deploy-rs.github.io/wait": wait } }, "spec": {} }),
            )
        };
        assert_eq!(of("false"), "true");
        assert!(of("true").starts_with("not yet"), "{}", of("true"));
        for kind in ["persistentvolumeclaim", "ingress.networking.k8s.io", "cronjob.batch", "shop.example.com"] {
            assert!(Rule::of(kind).is_none(), "{kind}");
        }
    }
}
