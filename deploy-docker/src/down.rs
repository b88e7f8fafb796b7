//! Taking a project away.

use crate::{
    container::Container,
    error::status,
    handle::Handle,
    labels,
    shared::{AT_ONCE, Tried, at_once},
};
use bollard::query_parameters::{ListNetworksOptions, ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions};
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
/// How many containers are stopped at once: mostly they are waited for.
const STOPPED_AT_ONCE: usize = 16;

impl Handle {
    /// Takes everything of the project away: the instances, then the proxies and with them our own agent, then what those stood
    /// on. The state goes too: no release of it could be started again. What others use stays.
    pub(crate) async fn tear_down(&self, fence: Fence, data: bool) -> Result<(), TargetError> {
        let (deployment, step) = (DeploymentId(0), StepId::new("down"));
        let cx = Cx { deployment, step, fence, deadline: Instant::now() + STOP_BY };
        let all = self.listed(fence).await?;
        let (networks, volumes) = tokio::try_join!(self.networks_of_project(), self.volumes_to_go(data))?;
        let (instances, ours): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.kind() == labels::INSTANCE);
        self.keep_last_agent().await;
        self.end(&cx, &instances).await?;
        self.end(&cx, &ours).await?;
        at_once(AT_ONCE, networks.iter().map(|name| self.delete_network(name))).await?;
        at_once(AT_ONCE, volumes.iter().map(|name| self.delete_volume(name))).await.map(drop)
    }

    /// Stops containers in good order, and removes them with their anonymous volumes.
    async fn end(&self, cx: &Cx, containers: &[&Container]) -> Result<(), TargetError> {
        let ended = containers.iter().map(|one| async move {
            // an agent has nothing to say but that its deployer is gone
            if one.is_up() && one.kind() != labels::AGENT {
                self.stop(cx, &one.name).await?;
            }
            self.remove_with_volumes(&one.name).await
        });
        at_once(STOPPED_AT_ONCE, ended).await.map(drop)
    }

    async fn remove_with_volumes(&self, name: &str) -> Result<(), TargetError> {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
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

    /// The state volume, and the users' data where that is to go as well.
    async fn volumes_to_go(&self, data: bool) -> Result<BTreeSet<String>, TargetError> {
        let mut names = BTreeSet::new();
        for label in self.project_labels() {
            let options = ListVolumesOptions { filters: Some(HashMap::from([("label".to_owned(), vec![label])])) };
            let found = self.docker().list_volumes(Some(options)).await;
            let found = found.tried(|| format!("list the volumes of {}", self.project))?;
            let is_meant = |kind: Option<&String>| data || kind.is_some_and(|kind| kind == labels::STATE);
            let volumes = found.volumes.unwrap_or_default().into_iter();
            names.extend(volumes.filter(|volume| is_meant(volume.labels.get(labels::KIND))).map(|volume| volume.name));
        }
        Ok(names)
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
