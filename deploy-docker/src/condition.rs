//! What a container is doing, and whether it has certainly failed.

use bollard::models::RestartPolicyNameEnum as Policy;
use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum as Status, RestartPolicy};
use deploy_core::model::InstanceState;
use jiff::{SignedDuration, Timestamp};

/// How often a container must have been started again, after short runs, until that counts as failed.
const RESTARTS: i64 = 3;
/// A run that ended sooner was short: the Engine itself takes a longer one for a success.
const SHORT: SignedDuration = SignedDuration::from_secs(10);

/// What a container that isn't kept is doing.
pub(crate) fn condition(found: &ContainerInspectResponse) -> InstanceState {
    let Some(state) = &found.state else { return InstanceState::Starting };
    let policy = found.host_config.as_ref().and_then(|host| host.restart_policy.as_ref());
    let restarts = found.restart_count.unwrap_or_default();
    match state.status {
        Some(Status::RUNNING | Status::PAUSED) => InstanceState::Running,
        Some(Status::RESTARTING) if restarts >= RESTARTS && was_short(state) => {
            InstanceState::Failed { reason: format!("{} each time; it was started again {restarts} times", why(state)) }
        }
        Some(Status::EXITED | Status::DEAD) => {
            let stopped = if starts_again(policy, state, restarts) { "; somebody stopped it" } else { "" };
            InstanceState::Failed { reason: format!("{}{stopped}", why(state)) }
        }
        _ => InstanceState::Starting,
    }
}

/// Whether the Engine starts it again by itself when it ends like this.
fn starts_again(policy: Option<&RestartPolicy>, state: &ContainerState, restarts: i64) -> bool {
    let Some(policy) = policy else { return false };
    match policy.name {
        Some(Policy::ALWAYS | Policy::UNLESS_STOPPED) => true,
        Some(Policy::ON_FAILURE) => {
            let most = policy.maximum_retry_count.unwrap_or_default();
            state.exit_code != Some(0) && (most == 0 || restarts < most)
        }
        _ => false,
    }
}

/// Its end in words.
fn why(state: &ContainerState) -> String {
    let code = state.exit_code.unwrap_or_default();
    if state.oom_killed == Some(true) {
        return "killed because it needed more memory than its limit".to_owned();
    }
    match state.error.as_deref().filter(|error| !error.is_empty()) {
        Some(error) => format!("exited with status {code}: {error}"),
        None => format!("exited with status {code}"),
    }
}

fn was_short(state: &ContainerState) -> bool {
    let at = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    match (at(&state.started_at), at(&state.finished_at)) {
        (Some(started), Some(finished)) => finished.duration_since(started) < SHORT,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::HostConfig;

    fn found(status: Status, policy: Policy, exit_code: i64, restart_count: i64) -> ContainerInspectResponse {
        let policy = RestartPolicy { name: Some(policy), maximum_retry_count: Some(5) };
        ContainerInspectResponse {
            state: Some(ContainerState {
                status: Some(status),
                exit_code: Some(exit_code),
                started_at: Some("2026-01-02T03:04:05.5Z".into()),
                finished_at: Some("2026-01-02T03:04:06.5Z".into()),
                ..Default::default()
            }),
            host_config: Some(HostConfig { restart_policy: Some(policy), ..Default::default() }),
            restart_count: Some(restart_count),
            ..Default::default()
        }
    }

    fn failed(reason: &str) -> InstanceState {
        InstanceState::Failed { reason: reason.into() }
    }

    #[test]
    fn an_end_is_certain_without_a_restart_policy() {
        assert_eq!(condition(&found(Status::EXITED, Policy::NO, 3, 0)), failed("exited with status 3"));
        assert_eq!(condition(&found(Status::EXITED, Policy::ON_FAILURE, 0, 0)), failed("exited with status 0"));
        assert_eq!(condition(&found(Status::EXITED, Policy::ON_FAILURE, 3, 5)), failed("exited with status 3"));
        let stopped = failed("exited with status 143; somebody stopped it");
        assert_eq!(condition(&found(Status::EXITED, Policy::ALWAYS, 143, 0)), stopped);
    }

    #[test]
    fn with_one_it_takes_several_short_runs() {
        let at = |restarts| condition(&found(Status::RESTARTING, Policy::ALWAYS, 1, restarts));
        assert_eq!(at(2), InstanceState::Starting);
        assert_eq!(at(3), failed("exited with status 1 each time; it was started again 3 times"));
        let mut long = found(Status::RESTARTING, Policy::ALWAYS, 1, 30);
        if let Some(state) = &mut long.state {
            state.finished_at = Some("2026-01-02T04:04:06.5Z".into());
        }
        assert_eq!(condition(&long), InstanceState::Starting);
    }

    #[test]
    fn what_runs_runs_however_often_it_was_started() {
        assert_eq!(condition(&found(Status::RUNNING, Policy::ALWAYS, 0, 9)), InstanceState::Running);
        assert_eq!(condition(&found(Status::CREATED, Policy::NO, 0, 0)), InstanceState::Starting);
    }

    #[test]
    fn too_little_memory_is_named() {
        let mut killed = found(Status::EXITED, Policy::NO, 137, 0);
        if let Some(state) = &mut killed.state {
            state.oom_killed = Some(true);
        }
        assert_eq!(condition(&killed), failed("killed because it needed more memory than its limit"));
    }
}
