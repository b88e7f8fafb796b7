//! The whole project.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{FileObject, Key, Network, Service, ServiceName, Volume};
use crate::{ComposeConfig, Ignored, Place, Warning, environment::Environment, places::Places};

/// A Compose project, loaded and resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// The directory that relative paths start at.
    pub directory: PathBuf,
    /// The files that it was loaded from.
    pub files: Vec<PathBuf>,
    /// The profiles that were active.
    pub profiles: Vec<String>,
    /// Its services, as far as their profiles are active.
    pub services: BTreeMap<ServiceName, Service>,
    /// The names of its services whose profiles aren't active.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub inactive: BTreeSet<ServiceName>,
    /// The networks that these services join, `default` among them if one does.
    pub networks: BTreeMap<Key, Network>,
    /// The named volumes that these services mount.
    pub volumes: BTreeMap<Key, Volume>,
    /// The secrets that these services get.
    pub secrets: BTreeMap<Key, FileObject>,
    /// The configs that these services get.
    pub configs: BTreeMap<Key, FileObject>,
    /// What the owner of the file should know.
    pub warnings: Vec<Warning>,
    /// What has no effect here: Compose itself ignores nearly all of it.
    pub ignored: Vec<Ignored>,
    /// The environment that the project was loaded with, files included.
    #[serde(skip)]
    pub environment: Environment,
    #[serde(skip)]
    pub(crate) places: Places,
    #[serde(skip)]
    pub(crate) compose_configs: BTreeMap<ServiceName, ComposeConfig>,
}

impl Project {
    /// Where an element such as `services.web.ports[0]` stands, or the nearest element around it. `None` for a project
    /// that was read back from its serialised form.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<&Place> {
        self.places.get(path)
    }

    /// A service's configuration as Compose hashes it, to tell whether a container that Compose runs is up to date, or to
    /// make one that Compose leaves alone. `None` where it isn't known for sure how Compose writes a field of it, and for
    /// a project that was read back from its serialised form.
    #[must_use]
    pub fn compose_config(&self, service: &str) -> Option<&ComposeConfig> {
        self.compose_configs.get(service)
    }

    /// The services in an order in which each comes after those it depends on; by name where that leaves a choice.
    #[must_use]
    pub fn dependency_order(&self) -> Vec<&Service> {
        let mut order = Vec::with_capacity(self.services.len());
        let mut done = BTreeSet::new();
        while order.len() < self.services.len() {
            let ready = |service: &&Service| {
                !done.contains(&service.name)
                    && service.depends_on.keys().all(|name| done.contains(name) || !self.services.contains_key(name))
            };
            // Loading refuses cycles, so that there is always one; without it the rest follows by name.
            let remaining = || self.services.values().find(|service| !done.contains(&service.name));
            let Some(next) = self.services.values().find(ready).or_else(remaining) else { break };
            done.insert(next.name.clone());
            order.push(next);
        }
        order
    }
}
