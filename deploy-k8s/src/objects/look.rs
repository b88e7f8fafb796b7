use super::awaited::{Rule, is_observed, is_rolling};
use crate::{prober::not_ready, shared::Shared, site::is_leaving, trouble, view::SeenObject};
use deploy_core::{
    health::Health,
    model::{Instance, InstanceState, ObjectRef},
    target::{Cx, Look, TargetError},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, core::DynamicObject};
use serde_json::Value;
use std::sync::Arc;

/// By what the pods of a StatefulSet's revision are told, and those of a DaemonSet's generation.
const REVISION: &str = "controller-revision-hash";
const GENERATION: &str = "pod-template-generation";
/// Where a DaemonSet tells its generation.
const OF_DAEMON_SET: &str = "deprecated.daemonset.template.generation";

impl Shared {
    /// Looks whether an object has come true. It is watched from the first look on until it has.
    pub(crate) async fn look(&self, cx: &Cx, object: &ObjectRef) -> Result<Look, TargetError> {
        let Some(rule) = Rule::of(&object.kind) else {
            return Ok(Look { health: Health::Healthy, instance: None });
        };
        if self.view.is_refused(&object.kind) {
            return self.read(rule, object).await;
        }
        let seen = match self.view.object(object, &rule.resource()).await {
            Ok(seen) => seen,
            // who may not watch may still read
            Err(TargetError::Rejected { .. }) => {
                self.view.refused(object);
                return self.read(rule, object).await;
            }
            Err(error) => return Err(error),
        };
        let Some(there) = seen.now() else {
            return Ok(Look { health: gone(rule, seen.object.gone().as_deref()), instance: None });
        };
        let now = value(&there)?;
        let look = match (rule.look(&now), there.data["spec"]["selector"].is_object()) {
            (Health::Waiting(why), true) => {
                if rule.name() == "StatefulSet" && is_rolling(&now) && is_observed(&now) {
                    self.make_way(cx, &seen, &there).await?;
                }
                look_at_pods(&seen, &there, rule.name(), why).await?
            }
            (Health::Unhealthy(why), true) => {
                let pods = seen.pods(&there).await?;
                let instance = pods.iter().max_by_key(|pod| tells_most(pod)).map(instance);
                Look { health: Health::Unhealthy(why), instance }
            }
            (health, _) => Look { health, instance: None },
        };
        if !matches!(look.health, Health::Waiting(_)) {
            self.view.leave(object);
        }
        Ok(look)
    }

    async fn read(&self, rule: &Rule, object: &ObjectRef) -> Result<Look, TargetError> {
        let health = match self.there(&rule.resource(), object).await? {
            Some(there) => rule.look(&value(&there)?),
            None => gone(rule, None),
        };
        Ok(Look { health, instance: None })
    }

    /// Takes pods away that certainly never get ready and that a StatefulSet no longer wants: it would wait for them, since it
    /// exchanges one pod after the other.
    async fn make_way(&self, cx: &Cx, seen: &SeenObject, there: &DynamicObject) -> Result<(), TargetError> {
        let partition = there.data["spec"]["updateStrategy"]["rollingUpdate"]["partition"].as_u64().unwrap_or(0);
        for pod in seen.pods(there).await? {
            let is_asked_for = is_new(&pod, there) || ordinal(&pod).is_none_or(|ordinal| ordinal < partition);
            if is_asked_for || is_leaving(&pod) || trouble::of_pod(&pod).is_none() {
                continue;
            }
            self.held.admit(cx.fence)?;
            let version = pod.resource_version();
            match self.api.delete::<Pod>(&pod.name_any(), version).await {
                // it is another by now
                Err(error) if error.is_stale() => {}
                answer => answer?,
            }
        }
        Ok(())
    }
}

/// One that isn't there any more: a Job may have been cleared away because it ended.
fn gone(rule: &Rule, last: Option<&DynamicObject>) -> Health {
    match last.and_then(|last| value(last).ok()).map(|last| rule.look(&last)) {
        Some(Health::Healthy) if rule.kind == "job.batch" => Health::Healthy,
        Some(Health::Unhealthy(why)) if rule.kind == "job.batch" => Health::Unhealthy(why),
        _ if rule.kind == "job.batch" => Health::Unhealthy(
            "it is gone, and nobody saw how it ended: somebody deleted it, or its `ttlSecondsAfterFinished` is over"
                .into(),
        ),
        _ => Health::Unhealthy("somebody has deleted it".into()),
    }
}

/// What keeps an object's pods from being as they are to be.
async fn look_at_pods(seen: &SeenObject, there: &DynamicObject, kind: &str, why: String) -> Result<Look, TargetError> {
    let pods = seen.pods(there).await?;
    let pods: Vec<_> = pods.into_iter().filter(|pod| !is_leaving(pod)).collect();
    let (new, old): (Vec<_>, Vec<_>) = pods.into_iter().partition(|pod| is_new(pod, there));
    let of = |pod: &Pod| if kind == "Job" { trouble::of_start(pod) } else { trouble::of_pod(pod) };
    if let Some((pod, trouble)) = new.iter().find_map(|pod| Some((pod, of(pod)?))) {
        let health = Health::Unhealthy(format!("{why}; {}: {trouble}", pod.name_any()));
        return Ok(Look { health, instance: Some(instance(pod)) });
    }
    let waits = |pod: &&Arc<Pod>| not_ready(pod).is_some();
    // a controller that keeps an order doesn't replace one that never got ready
    let in_the_way = old.iter().find(|pod| of(pod).is_some());
    let pod = in_the_way.or_else(|| new.iter().find(waits));
    let said = pod.map(|pod| {
        let words = of(pod).or_else(|| trouble::waits_for(pod)).or_else(|| not_ready(pod)).unwrap_or_default();
        let hint =
            in_the_way.map(|old| format!("; `kubectl delete pod {}` may help", old.name_any())).unwrap_or_default();
        format!("; {}: {words}{hint}", pod.name_any())
    });
    let said =
        said.unwrap_or_else(|| format!("; look at `kubectl describe {} {}`", kind.to_lowercase(), there.name_any()));
    Ok(Look { health: Health::Waiting(format!("{why}{said}")), instance: pod.map(instance) })
}

/// Whether a pod is as its owner asks for it now.
fn is_new(pod: &Pod, owner: &DynamicObject) -> bool {
    let label = |name: &str| pod.labels().get(name).map(String::as_str);
    match owner.data["status"]["updateRevision"].as_str() {
        Some(revision) => label(REVISION) == Some(revision),
        None => {
            let generation = owner.annotations().get(OF_DAEMON_SET).map(String::as_str);
            generation.is_none() || label(GENERATION) == generation
        }
    }
}

/// Which pod a StatefulSet counts it as.
fn ordinal(pod: &Pod) -> Option<u64> {
    pod.metadata.name.as_ref()?.rsplit_once('-')?.1.parse().ok()
}

/// By what the pod is found that says most of a failure: one that failed, and the newest of these.
fn tells_most(pod: &Arc<Pod>) -> (bool, Option<String>) {
    let has_failed = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Failed");
    (has_failed, pod.creation_timestamp().map(|time| time.0.to_string()))
}

fn instance(pod: &Arc<Pod>) -> Instance {
    Instance { name: pod.name_any(), ordinal: 1, state: InstanceState::Starting, restarts: 0 }
}

fn value(object: &DynamicObject) -> Result<Value, TargetError> {
    serde_json::to_value(object).map_err(|error| TargetError::unreachable("the API server", error))
}
