//! Containers of the project, as the Engine lists them: ours, and those that plain Compose made before we came.

use crate::{
    image,
    labels::{self, compose},
    names,
    shared::{Shared, Tried},
};
use bollard::{
    models::{ContainerSummary, ContainerSummaryStateEnum as State, MountPoint},
    query_parameters::ListContainersOptions,
};
use deploy_core::{
    model::{DeploymentId, Fence, Release, ReleaseId, ServiceName, StepId, WorkloadRef},
    target::TargetError,
};
use std::collections::{BTreeMap, HashMap};

/// A container of the project.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) labels: HashMap<String, String>,
    /// Its image's id.
    pub(crate) image: String,
    /// The name by which its image was asked for.
    pub(crate) image_name: String,
    pub(crate) state: State,
    /// The names of its networks.
    pub(crate) networks: Vec<String>,
    /// The names of its anonymous volumes, by where they are mounted.
    pub(crate) anonymous: BTreeMap<String, String>,
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
            image_name: summary.image.unwrap_or_default(),
            state: summary.state.unwrap_or(State::EMPTY),
            networks: summary
                .network_settings
                .and_then(|settings| settings.networks)
                .map(|networks| networks.into_keys().collect())
                .unwrap_or_default(),
            anonymous: summary.mounts.unwrap_or_default().into_iter().filter_map(anonymous).collect(),
        })
    }

    fn label(&self, label: &str) -> Option<&str> {
        self.labels.get(label).map(String::as_str)
    }

    /// Whether plain Compose made it.
    pub(crate) fn is_by_compose(&self) -> bool {
        self.label(labels::PROJECT).is_none()
    }

    pub(crate) fn kind(&self) -> &str {
        let usual = if self.is_by_compose() { labels::INSTANCE } else { "" };
        self.label(labels::KIND).unwrap_or(usual)
    }

    pub(crate) fn service(&self) -> Option<ServiceName> {
        let composes = || self.label(compose::SERVICE).filter(|_| self.is_by_compose());
        self.label(labels::SERVICE).or_else(composes).map(ServiceName::from)
    }

    /// The release that it runs; what Compose made is told apart by Compose's own hash of its configuration.
    pub(crate) fn release_id(&self) -> Option<ReleaseId> {
        if !self.is_by_compose() {
            return self.label(labels::RELEASE).map(ReleaseId::from);
        }
        let hash = self.label(compose::HASH).and_then(|hash| hash.get(..16)).unwrap_or("compose");
        self.service().map(|service| ReleaseId::new(format!("{service}-{hash}")))
    }

    /// Its place in its set, from 1.
    pub(crate) fn ordinal(&self) -> u32 {
        let composes = || self.label(compose::NUMBER).filter(|_| self.is_by_compose());
        self.label(labels::ORDINAL).or_else(composes).and_then(|text| text.parse().ok()).unwrap_or(0)
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
            version: match self.is_by_compose() {
                true => image::version(&self.image_name),
                false => self.label(labels::VERSION).unwrap_or_default().to_owned(),
            },
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

    /// Whether it is kept for a fast way back: it stands for an instance that was stopped by us.
    pub(crate) fn is_kept(&self) -> bool {
        names::is_kept(&self.name) && !self.is_up()
    }

    /// Whether it was made to be started, and wasn't yet.
    pub(crate) fn is_new(&self) -> bool {
        self.state == State::CREATED && !names::is_kept(&self.name)
    }

    /// Whether it is asked for: neither kept nor half made.
    pub(crate) fn is_live(&self) -> bool {
        !self.is_kept() && !self.is_new()
    }
}

/// Where a volume is mounted that nobody named, and its name: the Engine's are 64 hex digits.
fn anonymous(mount: MountPoint) -> Option<(String, String)> {
    let (at, name) = (mount.destination?, mount.name?);
    (name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some((at, name))
}

impl Shared {
    /// Everything of the project, containers that don't run included.
    pub(crate) async fn containers(&self) -> Result<Vec<Container>, TargetError> {
        let composes = [
            format!("{}={}", compose::PROJECT, self.project),
            format!("{}=False", compose::ONEOFF),
            compose::SERVICE.to_owned(),
        ];
        let composes = HashMap::from([("label".to_owned(), composes.into())]);
        let (ours, composes) = tokio::try_join!(self.list(labels::filter(&self.project)), self.list(composes))?;
        Ok(ours.into_iter().chain(composes.into_iter().filter(Container::is_by_compose)).collect())
    }

    async fn list(&self, filters: HashMap<String, Vec<String>>) -> Result<Vec<Container>, TargetError> {
        let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let found = self.docker().list_containers(Some(options)).await;
        let found = found.tried(|| format!("list the containers of {}", self.project))?;
        let there = found.into_iter().filter(|one| one.state != Some(State::REMOVING));
        Ok(there.filter_map(Container::from_summary).collect())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// An instance of the service `web` that runs, with an anonymous volume.
    pub(crate) fn instance(ordinal: u32, more: &[(&str, &str)]) -> Container {
        let ordinal_label = [(compose::NUMBER, ordinal.to_string()), (labels::ORDINAL, ordinal.to_string())];
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Container {
            id: format!("{ordinal:064}"),
            name: format!("shop-web-01234567-{ordinal}"),
            labels: ordinal_label.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect(),
            image: "sha256:ab".to_owned(),
            image_name: String::new(),
            state: State::RUNNING,
            networks: Vec::new(),
            anonymous: BTreeMap::from([("/data".to_owned(), "f00d".repeat(16))]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(labels: &[(&str, &str)]) -> Container {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Container {
            id: "0123456789abcdef".into(),
            name: "shop-web-1".into(),
            labels,
            image: "sha256:ab".into(),
            image_name: "acme/web:1.4".into(),
            state: State::RUNNING,
            networks: Vec::new(),
            anonymous: BTreeMap::new(),
        }
    }

    #[test]
    fn what_compose_made_is_an_instance_of_a_release_of_its_own() {
        let hash = "f00d".repeat(16);
        let one = container(&[(compose::SERVICE, "web"), (compose::NUMBER, "2"), (compose::HASH, &hash)]);
        assert_eq!((one.kind(), one.ordinal()), (labels::INSTANCE, 2));
        let release = one.release().unwrap();
        assert_eq!((release.id.as_str(), release.version.as_str()), ("web-f00df00df00df00d", "1.4"));
        let unhashed = container(&[(compose::SERVICE, "web")]);
        assert_eq!(unhashed.release_id(), Some("web-compose".into()));
    }

    #[test]
    fn composes_labels_on_ours_say_nothing() {
        let agent = container(&[(labels::PROJECT, "shop"), (compose::SERVICE, "web"), (compose::HASH, "f00d")]);
        assert_eq!((agent.kind(), agent.service(), agent.release_id(), agent.ordinal()), ("", None, None, 0));
    }
}
