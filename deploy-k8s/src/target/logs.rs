use crate::{api::answered, shared::Shared};
use deploy_core::target::TargetError;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::LogParams;

impl Shared {
    /// The last lines of a pod; where it was started again, those of the run that ended.
    pub(super) async fn logs(&self, pod: &str, lines: usize) -> Result<Vec<String>, TargetError> {
        let Some(status) = self.api.get::<Pod>(pod).await?.and_then(|pod| pod.status) else { return Ok(Vec::new()) };
        let begin = status.init_container_statuses.iter().flatten();
        let containers: Vec<_> = begin.chain(status.container_statuses.iter().flatten()).collect();
        let Some(container) = containers.iter().find(|one| !one.ready).or(containers.first()) else {
            return Ok(Vec::new());
        };
        let params = LogParams {
            container: Some(container.name.clone()),
            previous: container.restart_count > 0 && !is_running(container),
            tail_lines: Some(i64::try_from(lines).unwrap_or(i64::MAX)),
            ..LogParams::default()
        };
        match answered(format!("read the log of {pod}"), self.api.of::<Pod>().logs(pod, &params)).await {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            // it has written none yet
            Err(error) if matches!(error.code(), Some(400 | 404)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_running(container: &ContainerStatus) -> bool {
    container.state.as_ref().is_some_and(|state| state.running.is_some())
}
