//! What is certain of a pod that won't run, however long one waits. What may still come (a node, a quota, a network) isn't.
//!
//! Neither kubelet nor container runtime tell it by reasons alone, so their words are looked at, where a reason is given for
//! several things: those of containerd, CRI-O and Docker, of registries, and of Kubernetes 1.20 to 1.34.

use crate::kinds::ReplicaSet;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod,
};
use std::time::Duration;

/// What a registry says of an image that isn't there, or isn't for us.
const NO_SUCH_IMAGE: [&str; 8] = [
    "not found",
    "manifest unknown",
    "no such image",
    "does not exist",
    "denied",
    "unauthorized",
    "forbidden",
    "no basic auth credentials",
];
/// What is said beside it where the registry wasn't reached, or has had enough of us for now.
const NO_REGISTRY: [&str; 6] = ["dial ", "timeout", "timed out", "toomanyrequests", "too many requests", "rate limit"];
/// What is said of a reference in the environment that leads nowhere, and of an image that must not run as it is.
const NO_SUCH_REFERENCE: [&str; 3] = ["not found", "couldn't find key", "runasnonroot"];
/// By what it is told that it is the command that can't be run…
const COMMAND: [&str; 3] = ["exec: ", "exec \"", "executable"];
/// … and why.
const NO_SUCH_COMMAND: [&str; 6] = [
    "no such file or directory",
    "not found",
    "permission denied",
    "not a directory",
    "is a directory",
    "exec format error",
];
/// What the API server says of a pod that it won't have, whatever comes.
const NO_SUCH_POD: [&str; 4] = ["is invalid", "violates podsecurity", "no priorityclass with name", "denied request"];
/// Of what a pod may name, and what is then certain if it is "not found".
const NAMED: [&str; 2] = ["error looking up service account", "runtimeclass"];

/// From then on the kubelet itself takes a container for one that ran, and starts it again at once.
const RAN: Duration = Duration::from_secs(600);

/// Why a pod certainly won't run.
pub(crate) fn of_pod(pod: &Pod) -> Option<String> {
    containers(pod).find_map(of_container)
}

/// Why a pod certainly won't even start: of one that may end badly and be tried again.
pub(crate) fn of_start(pod: &Pod) -> Option<String> {
    let has_ended = |one: &&ContainerStatus| one.restart_count > 0 || ended(one.state.as_ref()).is_some();
    containers(pod).filter(|one| !has_ended(one)).find_map(of_container)
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let begin = status.and_then(|status| status.init_container_statuses.as_ref()).into_iter().flatten();
    begin.chain(status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten())
}

fn of_container(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    let why = match (&state.waiting, &state.terminated) {
        (Some(waiting), _) => of_waiting(waiting, container),
        // the first end may be by chance
        (_, Some(ended)) if container.restart_count > 0 && !is_good(ended) && !ran(ended) => {
            Some(again(ended, container.restart_count))
        }
        _ => None,
    };
    why.map(|why| format!("{}: {why}", container.name))
}

fn of_waiting(waiting: &ContainerStateWaiting, container: &ContainerStatus) -> Option<String> {
    let message = waiting.message.as_deref().unwrap_or_default();
    let said = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match waiting.reason.as_deref()? {
        "InvalidImageName" => Some(format!("the image's name is invalid: {message}")),
        "ErrImageNeverPull" => Some(format!("the image isn't there, and may not be pulled: {message}")),
        "SignatureValidationFailed" => Some(format!("the image's signature isn't accepted: {message}")),
        // since 1.32 the back-off repeats the cause
        "ErrImagePull" | "ImagePullBackOff" if says(&NO_SUCH_IMAGE) && !says(&NO_REGISTRY) => {
            Some(format!("the image can't be pulled: {message}"))
        }
        // a kubelet that hasn't read it yet says so, and tries again
        "CreateContainerConfigError" if says(&NO_SUCH_REFERENCE) => {
            Some(format!("it can't be set up as it is described: {message}"))
        }
        "RunContainerError" | "CreateContainerError"
            if says(&COMMAND) && says(&NO_SUCH_COMMAND) || says(&["no command specified"]) =>
        {
            Some(format!("its command can't be run: {message}"))
        }
        // such as only comes after a second end; one that ends well isn't meant to be in a Deployment
        "CrashLoopBackOff" if container.restart_count > 0 => {
            ended(container.last_state.as_ref()).map(|ended| again(ended, container.restart_count))
        }
        _ => None,
    }
}

fn ended(state: Option<&ContainerState>) -> Option<&ContainerStateTerminated> {
    state?.terminated.as_ref()
}

fn is_good(ended: &ContainerStateTerminated) -> bool {
    ended.exit_code == 0 && ended.signal.is_none()
}

fn ran(ended: &ContainerStateTerminated) -> bool {
    let (Some(from), Some(to)) = (&ended.started_at, &ended.finished_at) else { return false };
    to.0.duration_since(from.0).unsigned_abs() >= RAN
}

/// How it ended, and how often by now.
fn again(ended: &ContainerStateTerminated, restarts: i32) -> String {
    let how = match (ended.reason.as_deref(), ended.signal) {
        (Some("OOMKilled"), _) => "ran out of memory".to_owned(),
        (Some("ContainerCannotRun" | "StartError"), _) => {
            format!("can't be run: {}", ended.message.as_deref().unwrap_or_default().trim())
        }
        (_, Some(signal)) if signal > 0 => format!("was ended by signal {signal}"),
        _ => format!("exited with status {}", ended.exit_code),
    };
    format!("{how}, {} times by now", restarts + 1)
}

/// Why a set gets no pod, and whether that is certain.
pub(crate) fn of_set(set: &ReplicaSet) -> Option<(&str, bool)> {
    let conditions = set.status["conditions"].as_array()?;
    let failure = conditions.iter().find(|one| one["type"] == "ReplicaFailure" && one["status"] == "True")?;
    let message = failure["message"].as_str()?;
    let said = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    Some((message, says(&NO_SUCH_POD) || says(&NAMED) && said.contains("not found")))
}

/// What a pod that hasn't started yet waits for, as far as the cluster tells.
pub(crate) fn waits_for(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let unscheduled = conditions.into_iter().find(|one| one.type_ == "PodScheduled" && one.status == "False");
    unscheduled.and_then(|one| one.message.clone()).or_else(|| {
        containers(pod).find_map(|container| {
            let waiting = container.state.as_ref()?.waiting.as_ref()?;
            Some(format!("{}: {}", container.name, waiting.message.as_deref()?))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(status: Value) -> Pod {
        let container = |mut status: Value| {
            for (field, value) in [("name", json!("app")), ("image", json!("")), ("imageID", json!(""))] {
                status[field] = value;
            }
            status["ready"] = json!(false);
            status["restartCount"] = status["restartCount"].as_i64().unwrap_or(0).into();
            status
        };
        serde_json::from_value(json!({ "metadata": {}, "status": { "containerStatuses": [container(status)] } }))
            .unwrap()
    }

    fn waiting(reason: &str, message: &str) -> Option<String> {
        of_pod(&pod(json!({ "state": { "waiting": { "reason": reason, "message": message } } })))
    }

    /// As kubelets with containerd, CRI-O and Docker have said it.
    #[test]
    fn an_image_that_is_not_there_is_certain_and_a_registry_that_is_not_reached_is_not() {
        let certain = [
            "rpc error: code = Unknown desc = Error response from daemon: manifest unknown",
            "rpc error: code = Unknown desc = Error response from daemon: pull access denied for shop/web, repository does \
             not exist or may require 'docker login': denied: requested access to the resource is denied",
            "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/library/busybox:none\": failed \
             to resolve reference \"docker.io/library/busybox:none\": docker.io/library/busybox:none: not found",
            "failed to pull and unpack image \"r.example/web:2\": failed to resolve reference \"r.example/web:2\": pull \
             access denied, repository does not exist or may require authorization: authorization failed: no basic auth \
             credentials",
            "failed to resolve reference: unexpected status code 403 Forbidden",
            "reading manifest 2 in r.example/web: unauthorized: access to the requested resource is not authorized",
        ];
        let may_pass = [
            "rpc error: code = Unknown desc = Error response from daemon: Get \"https://registry-1.docker.io/v2/\": dial \
             tcp: lookup registry-1.docker.io on 10.0.0.10:53: no such host",
            "failed to resolve reference \"docker.io/library/busybox:1\": failed to do request: Head \
             \"https://registry-1.docker.io/v2/library/busybox/manifests/1\": dial tcp 192.0.2.1:443: i/o timeout",
            "unexpected status from GET request: 429 Too Many Requests: toomanyrequests: You have reached your \
             unauthenticated pull rate limit; access denied",
            "pull QPS exceeded",
        ];
        for message in certain {
            let expected = Some(format!("app: the image can't be pulled: {message}"));
            assert_eq!(waiting("ErrImagePull", message), expected);
            let backed_off = format!("Back-off pulling image \"web:2\": ErrImagePull: {message}");
            assert!(waiting("ImagePullBackOff", &backed_off).is_some());
        }
        for message in may_pass {
            assert_eq!(waiting("ErrImagePull", message), None, "{message}");
        }
        assert_eq!(waiting("ImagePullBackOff", "Back-off pulling image \"web:2\""), None);
        for reason in ["InvalidImageName", "ErrImageNeverPull", "SignatureValidationFailed"] {
            assert!(waiting(reason, "whatever it says").is_some());
        }
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_certain_and_one_that_is_not_read_yet_is_not() {
        for message in [
            "configmap \"settings\" not found",
            "secret \"password\" not found",
            "couldn't find key port in ConfigMap shop/settings",
            "container has runAsNonRoot and image will run as root (pod: \"web-1_shop(0)\", container: app)",
        ] {
            assert!(waiting("CreateContainerConfigError", message).is_some(), "{message}");
        }
        for message in [
            "failed to sync configmap cache: timed out waiting for the condition",
            "services have not yet been read at least once, cannot construct envvars",
        ] {
            assert_eq!(waiting("CreateContainerConfigError", message), None, "{message}");
        }
        assert_eq!(waiting("ContainerCreating", ""), None);
    }

    #[test]
    fn a_command_that_is_not_there_is_certain_and_a_busy_runtime_is_not() {
        for message in [
            "failed to start container \"51b2\": Error response from daemon: failed to create shim task: OCI runtime create \
             failed: runc create failed: unable to start container process: exec: \"/none\": stat /none: no such file or \
             directory: unknown",
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: \
             unable to start container process: exec: \"none\": executable file not found in $PATH: unknown",
            "container create failed: executable file `none` not found in $PATH: No such file or directory",
            "failed to generate container \"51b2\" spec: failed to generate spec: no command specified",
        ] {
            assert!(waiting("RunContainerError", message).is_some(), "{message}");
            assert!(waiting("CreateContainerError", message).is_some(), "{message}");
        }
        for message in [
            "context deadline exceeded",
            "failed to reserve container name \"app_web-1_shop_0\": name is reserved for \"51b2\"",
            "failed to create shim task: open /sys/fs/cgroup/pods/51b2: no such file or directory: unknown",
        ] {
            assert_eq!(waiting("CreateContainerError", message), None, "{message}");
        }
    }

    #[test]
    fn the_second_end_in_a_row_is_certain() {
        let ended = |status: i32, to: &str| {
            json!({ "terminated": {
                "exitCode": status, "reason": "Error", "startedAt": "2026-11-28T17:17:13Z", "finishedAt": to
            } })
        };
        let soon = "2026-11-28T17:17:14Z";
        let of = |restarts: i32, state: Value, last: Value| {
            of_pod(&pod(json!({ "restartCount": restarts, "state": state, "lastState": last })))
        };
        let again = Some("app: exited with status 3, 2 times by now".to_owned());
        assert_eq!(of(0, ended(3, soon), json!({})), None);
        assert_eq!(of(1, json!({ "running": {} }), ended(3, soon)), None);
        assert_eq!(of(1, ended(3, soon), ended(3, soon)), again);
        assert_eq!(of(7, ended(3, "2026-11-28T18:17:14Z"), ended(3, soon)), None, "it ran for an hour");
        let back_off = || json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s restarting" } });
        assert_eq!(of(1, back_off(), ended(3, soon)), again);
        assert_eq!(of(1, back_off(), ended(0, soon)), Some("app: exited with status 0, 2 times by now".into()));
        let why = |reason: &str| json!({ "terminated": { "exitCode": 137, "reason": reason, "message": "exec: x\n" } });
        assert_eq!(of(1, back_off(), why("OOMKilled")), Some("app: ran out of memory, 2 times by now".into()));
        assert_eq!(of(1, back_off(), why("StartError")), Some("app: can't be run: exec: x, 2 times by now".into()));
    }

    #[test]
    fn a_set_whose_pods_are_refused_says_why() {
        let certain = |message: &str| {
            let failure =
                json!({ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message });
            let set = json!({ "metadata": {}, "spec": {}, "status": { "conditions": [failure] } });
            let set: ReplicaSet = serde_json::from_value(set).unwrap();
            let found = of_set(&set).map(|(message, is_certain)| (message.to_owned(), is_certain));
            let (said, is_certain) = found.unwrap();
            assert_eq!(said, message);
            is_certain
        };
        for message in [
            "pods \"web-1-\" is forbidden: error looking up service account shop/web: serviceaccount \"web\" not found",
            "pods \"web-1-x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true",
            "pods \"web-1-\" is forbidden: no PriorityClass with name high was found",
            "pods \"web-1-\" is forbidden: pod rejected: RuntimeClass \"gvisor\" not found",
            "Pod \"web-1-x\" is invalid: spec.containers[0].name: Duplicate value: \"app\"",
            "pods \"web-1-x\" is forbidden: ValidatingAdmissionPolicy 'a' with binding 'b' denied request: no",
        ] {
            assert!(certain(message), "{message}");
        }
        for message in [
            "pods \"web-1-x\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=4, limited: pods=4",
            "Internal error occurred: failed calling webhook \"x\": Post \"https://x\": connection refused",
            "pods \"web-1-\" is forbidden: error looking up service account shop/web: etcdserver: request timed out",
        ] {
            assert!(!certain(message), "{message}");
        }
    }

    #[test]
    fn what_a_pod_waits_for_is_told() {
        let unscheduled = json!({ "metadata": {}, "status": { "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
        }] } });
        let said = waits_for(&serde_json::from_value(unscheduled).unwrap());
        assert_eq!(said.unwrap(), "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.");
        let pulling =
            pod(json!({ "state": { "waiting": { "reason": "ErrImagePull", "message": "no route to host" } } }));
        assert_eq!(waits_for(&pulling).unwrap(), "app: no route to host");
        assert_eq!(waits_for(&pod(json!({ "state": { "waiting": { "reason": "ContainerCreating" } } }))), None);
    }
}
