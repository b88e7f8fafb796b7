//! Containers of ours, as the Engine lists them.

use crate::{
    labels, names,
    shared::{Shared, Tried},
};
use bollard::{
    models::{ContainerSummary, ContainerSummaryStateEnum as State},
    query_parameters::ListContainersOptions,
};
use deploy_core::{
    model::{DeploymentId, Fence, Release, ReleaseId, ServiceName, StepId, WorkloadRef},
    target::TargetError,
};
use std::collections::HashMap;

/// A container of ours.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) labels: HashMap<String, String>,
    pub(crate) image: String,
    pub(crate) state: State,
    /// The names of its networks.
    pub(crate) networks: Vec<String>,
}

impl Container {
    fn from_summary(summary: ContainerSummary) -> Option<Self> {
        // names begin with a slash; those with another one inside are links
        let mut names = summary.names.unwrap_or_default().into_iter();
        let name =
            names.find_map(|name| name.strip_prefix('/').filter(|name| !name.contains('/')).map(str::to_owned))?;
        Some(Self {
            id: summary.id?,
            name,
            labels: summary.labels.unwrap_or_default(),
            image: summary.image_id.unwrap_or_default(),
            state: summary.state.unwrap_or(State::EMPTY),
            networks: summary
                .network_settings
                .and_then(|settings| settings.networks)
                .map(|networks| networks.into_keys().collect())
                .unwrap_or_default(),
        })
    }

    fn label(&self, label: &str) -> Option<&str> {
        self.labels.get(label).map(String::as_str)
    }

    pub(crate) fn kind(&self) -> &str {
        self.label(labels::KIND).unwrap_or_default()
    }

    pub(crate) fn service(&self) -> Option<ServiceName> {
        self.label(labels::SERVICE).map(ServiceName::from)
    }

    pub(crate) fn release_id(&self) -> Option<ReleaseId> {
        self.label(labels::RELEASE).map(ReleaseId::from)
    }

    /// Its place in its set, from 1.
    pub(crate) fn ordinal(&self) -> u32 {
        self.label(labels::ORDINAL).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn fence(&self) -> Option<Fence> {
        self.label(labels::FENCE)?.parse().ok().map(Fence)
    }

    /// The newest fence under which it was made or adopted.
    pub(crate) fn generation(&self) -> Fence {
        self.fence().max(names::generation(&self.name)).unwrap_or_default()
    }

    pub(crate) fn made_by(&self) -> Option<(DeploymentId, StepId)> {
        let deployment = self.label(labels::DEPLOYMENT)?.parse().ok()?;
        Some((DeploymentId(deployment), StepId::from(self.label(labels::STEP)?)))
    }

    pub(crate) fn release(&self) -> Option<Release> {
        Some(Release {
            id: self.release_id()?,
            service: self.service()?,
            version: self.label(labels::VERSION).unwrap_or_default().to_owned(),
            artifact: self.image.clone(),
        })
    }

    /// The name under which the network knows it: it stays the same over restarts and renamings.
    pub(crate) fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }

    /// Whether it is an instance of that set.
    pub(crate) fn is_of(&self, workload: &WorkloadRef) -> bool {
        self.kind() == labels::INSTANCE
            && self.service().as_ref() == Some(&workload.service)
            && self.release_id().as_ref() == Some(&workload.release)
    }

    /// Whether a process of it runs or is about to run again.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, State::RUNNING | State::PAUSED | State::RESTARTING | State::STOPPING)
    }

    /// Whether a process of it runs that could start another.
    pub(crate) fn is_running(&self) -> bool {
        self.state == State::RUNNING
    }

    /// Whether it was stopped by us and is kept for a fast way back.
    pub(crate) fn is_kept(&self) -> bool {
        names::is_kept(&self.name) && !self.is_up()
    }

    /// Whether it was made, and never started.
    pub(crate) fn is_new(&self) -> bool {
        self.state == State::CREATED
    }
}

impl Shared {
    /// Everything of ours in the project, containers that don't run included.
    pub(crate) async fn containers(&self) -> Result<Vec<Container>, TargetError> {
        let options =
            ListContainersOptions { all: true, filters: Some(labels::filter(&self.project)), ..Default::default() };
        let found = self.docker().list_containers(Some(options)).await;
        let found = found.tried(|| format!("list the containers of {}", self.project))?;
        let there = found.into_iter().filter(|one| one.state != Some(State::REMOVING));
        Ok(there.filter_map(Container::from_summary).collect())
    }
}
