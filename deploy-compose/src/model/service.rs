//! Services.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Attachment, Build, Dependency, ExposedPort, Grant, Healthcheck, Isolation, Key, Logging, Mount, Namespace,
    NetworkMode, Port, Resources, Restart, ServiceName, UpdateConfig, is_default,
};
use crate::environment::EnvValue;

/// A service, resolved: variables and files are replaced by what they stand for, short forms by long ones, and paths
/// of the host are absolute.
///
/// Its serialised form is canonical: equal services have equal texts, maps are sorted and fields with their usual
/// value are left out. It holds the values of environment variables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// Its name in the file.
    pub name: ServiceName,
    /// The image as the file writes it, or `PROJECT-SERVICE` for one that is only built.
    pub image: String,
    /// How the image is built; `None` is not at all.
    #[serde(skip_serializing_if = "is_default")]
    pub build: Option<Build>,
    /// The platform of the image, such as `linux/arm64`.
    #[serde(skip_serializing_if = "is_default")]
    pub platform: Option<String>,
    /// When the image is pulled.
    #[serde(skip_serializing_if = "is_default")]
    pub pull_policy: Option<PullPolicy>,
    /// A name for its one container.
    #[serde(skip_serializing_if = "is_default")]
    pub container_name: Option<String>,
    /// How many containers: `scale` or `deploy.replicas`, else 1.
    pub replicas: u32,
    /// The file's wishes for updates.
    #[serde(skip_serializing_if = "is_default")]
    pub update_config: Option<UpdateConfig>,
    /// The file's wishes for rollbacks.
    #[serde(skip_serializing_if = "is_default")]
    pub rollback_config: Option<UpdateConfig>,

    /// Arguments in place of the image's; an empty list is no arguments.
    #[serde(skip_serializing_if = "is_default")]
    pub command: Option<Vec<String>>,
    /// The program in place of the image's; an empty list is the command's first word.
    #[serde(skip_serializing_if = "is_default")]
    pub entrypoint: Option<Vec<String>>,
    /// Variables: those of `env_file` with those of `environment` over them.
    #[serde(skip_serializing_if = "is_default")]
    pub environment: BTreeMap<String, EnvValue>,
    /// The user, and perhaps the group, such as `1000:1000`.
    #[serde(skip_serializing_if = "is_default")]
    pub user: Option<String>,
    /// Further groups of the user.
    #[serde(skip_serializing_if = "is_default")]
    pub group_add: Vec<String>,
    /// The working directory.
    #[serde(skip_serializing_if = "is_default")]
    pub working_dir: Option<String>,
    /// Whether a small init process runs first; `None` is the Engine's default.
    #[serde(skip_serializing_if = "is_default")]
    pub init: Option<bool>,
    /// Whether it gets a terminal.
    #[serde(skip_serializing_if = "is_default")]
    pub tty: bool,
    /// Whether its input is kept open.
    #[serde(skip_serializing_if = "is_default")]
    pub stdin_open: bool,
    /// The signal that asks it to stop; `None` is the image's.
    #[serde(skip_serializing_if = "is_default")]
    pub stop_signal: Option<String>,
    /// How long it may take to stop; `None` is the Engine's default, 10 s.
    #[serde(skip_serializing_if = "is_default")]
    pub stop_grace_period: Option<Duration>,
    /// What happens when it exits.
    #[serde(skip_serializing_if = "is_default")]
    pub restart: Restart,
    /// Its own health check; `None` is the image's.
    #[serde(skip_serializing_if = "is_default")]
    pub healthcheck: Option<Healthcheck>,
    /// Where its output goes.
    #[serde(skip_serializing_if = "is_default")]
    pub logging: Option<Logging>,

    /// Labels of its containers.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// Labels of a Swarm's service. Compose gives them to nobody.
    #[serde(skip_serializing_if = "is_default")]
    pub deploy_labels: BTreeMap<String, String>,
    /// Annotations of its containers.
    #[serde(skip_serializing_if = "is_default")]
    pub annotations: BTreeMap<String, String>,
    /// The profiles of which one must be active.
    #[serde(skip_serializing_if = "is_default")]
    pub profiles: Vec<String>,
    /// What it waits for, including what `network_mode`, `ipc`, `pid` and `links` imply.
    #[serde(skip_serializing_if = "is_default")]
    pub depends_on: BTreeMap<ServiceName, Dependency>,

    /// Published ports.
    #[serde(skip_serializing_if = "is_default")]
    pub ports: Vec<Port>,
    /// Ports for other containers.
    #[serde(skip_serializing_if = "is_default")]
    pub expose: Vec<ExposedPort>,
    /// The networks it joins; none if `network_mode` is given, else at least the one with the key `default`.
    #[serde(skip_serializing_if = "is_default")]
    pub networks: BTreeMap<Key, Attachment>,
    /// What it uses instead of networks.
    #[serde(skip_serializing_if = "is_default")]
    pub network_mode: Option<NetworkMode>,
    /// Its host name.
    #[serde(skip_serializing_if = "is_default")]
    pub hostname: Option<String>,
    /// Its domain name.
    #[serde(skip_serializing_if = "is_default")]
    pub domainname: Option<String>,
    /// Name servers.
    #[serde(skip_serializing_if = "is_default")]
    pub dns: Vec<String>,
    /// Domains that names are completed with.
    #[serde(skip_serializing_if = "is_default")]
    pub dns_search: Vec<String>,
    /// Options of the resolver.
    #[serde(skip_serializing_if = "is_default")]
    pub dns_opt: Vec<String>,
    /// Addresses by host name; `host-gateway` stands for the host.
    #[serde(skip_serializing_if = "is_default")]
    pub extra_hosts: BTreeMap<String, Vec<String>>,
    /// A fixed hardware address.
    #[serde(skip_serializing_if = "is_default")]
    pub mac_address: Option<String>,

    /// Mounts, in the order of the file.
    #[serde(skip_serializing_if = "is_default")]
    pub volumes: Vec<Mount>,
    /// Folders in memory, with their mount options, such as `size=64m`.
    #[serde(skip_serializing_if = "is_default")]
    pub tmpfs: BTreeMap<String, String>,
    /// Secrets that it gets.
    #[serde(skip_serializing_if = "is_default")]
    pub secrets: Vec<Grant>,
    /// Configs that it gets.
    #[serde(skip_serializing_if = "is_default")]
    pub configs: Vec<Grant>,

    /// What it may use.
    #[serde(skip_serializing_if = "is_default")]
    pub resources: Resources,
    /// How far it is shut off.
    #[serde(skip_serializing_if = "is_default")]
    pub isolation: Isolation,
}

impl Service {
    /// The services whose network, processes or memory it shares: its containers live in one of theirs.
    pub fn lives_in(&self) -> BTreeSet<&ServiceName> {
        let network = match &self.network_mode {
            Some(NetworkMode::Service(name)) => Some(name),
            _ => None,
        };
        let namespaces = [&self.isolation.ipc, &self.isolation.pid];
        namespaces.into_iter().flatten().filter_map(Namespace::service).chain(network).collect()
    }
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullPolicy {
    /// Every time.
    Always,
    /// Not at all.
    Never,
    /// If it isn't there.
    Missing,
    /// It is built every time.
    Build,
}
