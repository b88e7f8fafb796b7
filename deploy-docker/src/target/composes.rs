//! Containers that plain Compose made: stopped, kept and brought back as they are.

use crate::{
    container::Container,
    definition::{Content, Definition},
    error::if_there,
    handle::{Handle, agent_error},
    shared::Tried,
};
use bollard::models::{ContainerCreateBody, HostConfig};
use deploy_core::{
    model::{ReleaseId, WorkloadRef},
    target::{Cx, TargetError},
};
use std::collections::BTreeMap;

impl Handle {
    /// What is needed to bring a container of Compose's back, before it is changed: its restart policy.
    pub(super) async fn remember(&self, cx: &Cx, one: &Container) -> Result<(), TargetError> {
        let Some(release) = one.release_id() else { return Ok(()) };
        let agent = self.agent().await?;
        if agent.stored().await.map_err(agent_error)?.contains(&release) {
            return Ok(());
        }
        let payload = self.composes_definition(one).await?.payload(&release);
        let payload = payload.map_err(|error| TargetError::Rejected { why: error.to_string() })?;
        agent.store(cx.fence, &release, &payload).await.map_err(agent_error)
    }

    /// The definition of a set that Compose made and that nothing was done to yet.
    pub(super) async fn definition_of_composes(
        &self,
        workload: &WorkloadRef,
    ) -> Result<Option<Definition>, TargetError> {
        let all = self.containers().await?;
        match all.iter().find(|one| one.is_by_compose() && one.is_of(workload)) {
            Some(one) => self.composes_definition(one).await.map(Some),
            None => Ok(None),
        }
    }

    async fn composes_definition(&self, one: &Container) -> Result<Definition, TargetError> {
        let found = if_there(self.docker().inspect_container(&one.id, None).await);
        let found = found.tried(|| format!("look at {}", one.name))?;
        let restart_policy = found.and_then(|found| found.host_config).and_then(|host| host.restart_policy);
        let release = one.release_id().unwrap_or_else(|| ReleaseId::new(one.name.clone()));
        let container = ContainerCreateBody {
            image: Some(one.image.clone()),
            host_config: Some(HostConfig { restart_policy, ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        };
        let mut definition = Definition::new(Content {
            project: self.project.clone(),
            service: one.service().unwrap_or_else(|| release.as_str().into()),
            container,
            container_name: None,
            platform: None,
            networks: Vec::new(),
            files: Vec::new(),
            lives_in: BTreeMap::new(),
            carried: Vec::new(),
            by_compose: true,
            config: None,
            bound: BTreeMap::new(),
        });
        definition.version = one.release().map(|release| release.version).unwrap_or_default();
        Ok(definition)
    }
}
