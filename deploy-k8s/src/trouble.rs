//! What is certain of a pod that won't run, however long one waits. What may still come (a node, a quota, a network) isn't.

use crate::kinds::ReplicaSet;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod};

/// What a registry or a container runtime says where an image isn't there, or isn't for us.
const NO_SUCH_IMAGE: [&str; 7] =
    ["not found", "manifest unknown", "no such image", "does not exist", "denied", "unauthorized", "no basic auth"];
/// What a container runtime says where a command can't be run.
const NO_SUCH_COMMAND: [&str; 4] = ["no such file or directory", "not found", "permission denied", "not a directory"];

/// Why a pod certainly won't run.
pub(crate) fn of_pod(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let begin = status.init_container_statuses.iter().flatten();
    let containers = begin.chain(status.container_statuses.iter().flatten());
    containers.into_iter().find_map(of_container).or_else(|| match status.phase.as_deref() {
        Some("Failed") => Some(status.message.clone().unwrap_or_else(|| "it has ended".into())),
        _ => None,
    })
}

fn of_container(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    let before = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let why = match (&state.waiting, &state.terminated) {
        (Some(waiting), _) => of_waiting(waiting, before, container.restart_count),
        // the first end may be by chance
        (_, Some(ended)) if container.restart_count > 0 && !is_good(ended) => {
            Some(again(ended, container.restart_count))
        }
        _ => None,
    };
    why.map(|why| format!("{}: {why}", container.name))
}

fn of_waiting(
    waiting: &ContainerStateWaiting,
    before: Option<&ContainerStateTerminated>,
    restarts: i32,
) -> Option<String> {
    let message = waiting.message.as_deref().unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| message.to_lowercase().contains(word));
    match waiting.reason.as_deref()? {
        "InvalidImageName" => Some(format!("the image's name is invalid: {message}")),
        "ErrImageNeverPull" => Some(format!("the image isn't there, and may not be pulled: {message}")),
        // back-off repeats neither reason nor cure
        "ErrImagePull" if says(&NO_SUCH_IMAGE) => Some(format!("the image can't be pulled: {message}")),
        "CreateContainerConfigError" => Some(format!("what it refers to isn't there: {message}")),
        "RunContainerError" | "CreateContainerError" | "StartError" if says(&NO_SUCH_COMMAND) => {
            Some(format!("its command can't be run: {message}"))
        }
        "CrashLoopBackOff" if restarts > 0 => {
            before.filter(|ended| !is_good(ended)).map(|ended| again(ended, restarts))
        }
        _ => None,
    }
}

fn is_good(ended: &ContainerStateTerminated) -> bool {
    ended.exit_code == 0 && ended.signal.is_none()
}

/// How it ended, and how often by now.
fn again(ended: &ContainerStateTerminated, restarts: i32) -> String {
    let how = match (ended.reason.as_deref(), ended.signal) {
        (Some("OOMKilled"), _) => "ran out of memory".to_owned(),
        (Some("ContainerCannotRun"), _) => {
            format!("can't be run: {}", ended.message.as_deref().unwrap_or_default().trim())
        }
        (_, Some(signal)) if signal > 0 => format!("was ended by signal {signal}"),
        _ => format!("exited with status {}", ended.exit_code),
    };
    format!("{how}, {} times by now", restarts + 1)
}

/// Why a set certainly won't get a pod.
pub(crate) fn of_set(set: &ReplicaSet) -> Option<String> {
    let conditions = set.status["conditions"].as_array()?;
    let failure = conditions.iter().find(|one| one["type"] == "ReplicaFailure" && one["status"] == "True")?;
    let message = failure["message"].as_str().unwrap_or_default();
    let is_certain = message.contains("error looking up service account") || message.contains("is invalid");
    is_certain.then(|| message.to_owned())
}
