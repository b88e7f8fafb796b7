//! Taking a project away.

use crate::{
    container::Container,
    error::status,
    handle::Handle,
    labels,
    shared::{AT_ONCE, STOPPED_AT_ONCE, Tried, at_once},
};
use bollard::{
    models::Volume,
    query_parameters::{ListNetworksOptions, ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions},
};
use deploy_core::{
    model::{DeploymentId, Fence, StepId},
    target::{Cx, TargetError},
};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};
use tokio::time::Instant;

/// How long the containers may take to stop, all together: what a file grants them, and then some.
const STOP_BY: Duration = Duration::from_secs(300);

impl Handle {
    /// Takes everything of the project away: the instances, then the proxies and with them our own agent, then what those stood
    /// on. The state goes too: no release of it could be started again. What others use stays. Yields the named volumes
    /// that the project's data was in, and is if it was to stay.
    pub(crate) async fn tear_down(&self, fence: Fence, data: bool) -> Result<Vec<String>, TargetError> {
        let (deployment, step) = (DeploymentId(0), StepId::new("down"));
        let cx = Cx { deployment, step, fence, deadline: Instant::now() + STOP_BY };
        let all = self.listed(fence).await?;
        let (networks, named) = tokio::try_join!(self.networks_of_project(), self.data_volumes())?;
        let (instances, ours): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.kind() == labels::INSTANCE);
        self.keep_last_agent().await;
        self.end(&cx, &instances).await?;
        self.end(&cx, &ours).await?;
        at_once(AT_ONCE, networks.iter().map(|name| self.delete_network(name))).await?;
        let state = self.state_volume();
        let unnamed: BTreeSet<_> = all.iter().flat_map(|one| one.anonymous.values()).collect();
        let volumes = named.iter().chain(unnamed).filter(|_| data).chain([&state]);
        at_once(AT_ONCE, volumes.map(|name| self.delete_volume(name))).await?;
        Ok(named)
    }

    /// Stops containers in good order, and removes them.
    async fn end(&self, cx: &Cx, containers: &[&Container]) -> Result<(), TargetError> {
        let ended = containers.iter().map(|one| async move {
            // an agent has nothing to say but that its deployer is gone
            if one.is_up() && one.kind() != labels::AGENT {
                self.stop(cx, &one.name).await?;
            }
            self.remove(&one.name).await
        });
        at_once(STOPPED_AT_ONCE, ended).await.map(drop)
    }

    async fn remove(&self, name: &str) -> Result<(), TargetError> {
        let options = RemoveContainerOptions { force: true, ..Default::default() };
        match self.docker().remove_container(name, Some(options)).await {
            // gone already, or on its way
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            answer => answer.tried(|| format!("remove {name}")),
        }
    }

    /// The project's networks, those that Compose made before we came too.
    async fn networks_of_project(&self) -> Result<BTreeSet<String>, TargetError> {
        let mut names = BTreeSet::new();
        for label in self.project_labels() {
            let options = ListNetworksOptions { filters: Some(HashMap::from([("label".to_owned(), vec![label])])) };
            let found = self.docker().list_networks(Some(options)).await;
            let found = found.tried(|| format!("list the networks of {}", self.project))?;
            names.extend(found.into_iter().filter_map(|network| network.name));
        }
        Ok(names)
    }

    /// The named volumes that the project made for its data, those that Compose made before we came too.
    pub(crate) async fn data_volumes(&self) -> Result<Vec<String>, TargetError> {
        let mut names = BTreeSet::new();
        for label in self.project_labels() {
            let options = ListVolumesOptions { filters: Some(HashMap::from([("label".to_owned(), vec![label])])) };
            let found = self.docker().list_volumes(Some(options)).await;
            let found = found.tried(|| format!("list the volumes of {}", self.project))?;
            let is_data = |volume: &Volume| volume.labels.get(labels::KIND).is_none_or(|kind| kind != labels::STATE);
            let volumes = found.volumes.unwrap_or_default().into_iter().filter(is_data);
            names.extend(volumes.map(|volume| volume.name));
        }
        Ok(names.into_iter().collect())
    }

    /// What is on everything of the project: our label, and Compose's on what it made.
    fn project_labels(&self) -> [String; 2] {
        [labels::PROJECT, labels::compose::PROJECT].map(|label| format!("{label}={}", self.project))
    }

    async fn delete_volume(&self, name: &str) -> Result<(), TargetError> {
        match self.docker().remove_volume(name, None::<RemoveVolumeOptions>).await {
            // gone already, or somebody else's container uses it
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            answer => answer.tried(|| format!("remove the volume {name}")),
        }
    }
}
