//! How far a container is shut off from the host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Device, ServiceName, is_default, put, security, unique};
use crate::read::{At, Fields};

/// What a container may do, and which namespaces it shares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Isolation {
    /// Whether it may do nearly everything.
    #[serde(skip_serializing_if = "is_default")]
    pub privileged: bool,
    /// Whether its own file system can't be written.
    #[serde(skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// Capabilities beside the usual ones.
    #[serde(skip_serializing_if = "is_default")]
    pub cap_add: Vec<String>,
    /// Capabilities that are taken away.
    #[serde(skip_serializing_if = "is_default")]
    pub cap_drop: Vec<String>,
    /// Options such as `no-new-privileges:true`; that of a seccomp profile has its text.
    #[serde(skip_serializing_if = "is_default")]
    pub security_opt: Vec<String>,
    /// The user namespace, such as `host`.
    #[serde(skip_serializing_if = "is_default")]
    pub userns_mode: Option<String>,
    /// The namespace of shared memory.
    #[serde(skip_serializing_if = "is_default")]
    pub ipc: Option<Namespace>,
    /// The namespace of processes.
    #[serde(skip_serializing_if = "is_default")]
    pub pid: Option<Namespace>,
    /// The namespace of the host name, such as `host`.
    #[serde(skip_serializing_if = "is_default")]
    pub uts: Option<String>,
    /// The namespace of control groups.
    #[serde(skip_serializing_if = "is_default")]
    pub cgroup: Option<CgroupNamespace>,
    /// The control group above the container's.
    #[serde(skip_serializing_if = "is_default")]
    pub cgroup_parent: Option<String>,
    /// The isolation technology, where the platform has several.
    #[serde(skip_serializing_if = "is_default")]
    pub technology: Option<Technology>,
    /// The runtime, such as `runc`.
    #[serde(skip_serializing_if = "is_default")]
    pub runtime: Option<String>,
    /// Kernel parameters.
    #[serde(skip_serializing_if = "is_default")]
    pub sysctls: BTreeMap<String, String>,
    /// Limits of processes, by their name.
    #[serde(skip_serializing_if = "is_default")]
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Devices of the host.
    #[serde(skip_serializing_if = "is_default")]
    pub devices: Vec<Device>,
    /// Rules for devices, such as `c 1:3 mr`.
    #[serde(skip_serializing_if = "is_default")]
    pub device_cgroup_rules: Vec<String>,
    /// Options of the storage driver.
    #[serde(skip_serializing_if = "is_default")]
    pub storage_opt: BTreeMap<String, String>,
}

/// Whose namespace a container uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// The host's.
    Host,
    /// None at all.
    None,
    /// Its own, which nobody else can join.
    Private,
    /// Its own, which others may join.
    Shareable,
    /// That of another service.
    Service(ServiceName),
    /// That of a container outside of the project.
    Container(String),
}

/// How a container is shut off, on platforms that have several ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Technology {
    /// The Engine's usual one.
    Default,
    /// By namespaces, on Windows.
    Process,
    /// By a virtual machine, on Windows.
    Hyperv,
}

/// Which control groups a container sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CgroupNamespace {
    /// The host's.
    Host,
    /// Its own.
    Private,
}

/// A limit of processes; -1 is without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// The limit that counts.
    pub soft: i64,
    /// The limit up to which a process may raise its own.
    pub hard: i64,
}

impl Isolation {
    /// Takes the fields of a service that say how it is shut off.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        let mut devices = Vec::new();
        for at in fields.take("devices").map(|at| at.items()).unwrap_or_default() {
            if let Some(device) = Device::read(&at) {
                put(&mut devices, device, |a: &Device, b| a.target == b.target);
            }
        }
        let security = fields.take("security_opt").map(|at| at.items()).unwrap_or_default();
        let ulimits = fields.take("ulimits").map(|at| at.members()).unwrap_or_default();
        let namespace = |at: At<'_>| {
            at.parsed("host, none, private, shareable, service:NAME or container:NAME", Namespace::parse).filter(
                |namespace| {
                    let known = |name: &ServiceName| at.declared_service(at.place(), name.as_str()).is_some();
                    namespace.service().is_none_or(known)
                },
            )
        };
        Self {
            privileged: fields.flag("privileged").unwrap_or(false),
            read_only: fields.flag("read_only").unwrap_or(false),
            cap_add: unique(fields.texts("cap_add")),
            cap_drop: unique(fields.texts("cap_drop")),
            security_opt: unique(security.iter().filter_map(security::option).collect()),
            userns_mode: fields.text("userns_mode"),
            ipc: fields.take_set("ipc").and_then(namespace),
            pid: fields.take_set("pid").and_then(namespace),
            uts: fields.text("uts"),
            cgroup: fields.take_set("cgroup").and_then(|at| {
                at.parsed("host or private", |text| match text {
                    "host" => Some(CgroupNamespace::Host),
                    "private" => Some(CgroupNamespace::Private),
                    _ => None,
                })
            }),
            cgroup_parent: fields.text("cgroup_parent"),
            technology: fields.take_set("isolation").and_then(|at| {
                at.parsed("default, process or hyperv", |text| match text.to_ascii_lowercase().as_str() {
                    "default" => Some(Technology::Default),
                    "process" => Some(Technology::Process),
                    "hyperv" => Some(Technology::Hyperv),
                    _ => None,
                })
            }),
            runtime: fields.text("runtime"),
            sysctls: fields.text_pairs("sysctls"),
            ulimits: ulimits.iter().filter_map(|(e, at)| Some((e.key.clone(), Ulimit::read(at)?))).collect(),
            devices,
            device_cgroup_rules: unique(fields.texts("device_cgroup_rules")),
            storage_opt: fields.text_pairs("storage_opt"),
        }
    }
}

impl Namespace {
    fn parse(text: &str) -> Option<Self> {
        Some(match (text, text.split_once(':')) {
            ("host", _) => Self::Host,
            ("none", _) => Self::None,
            ("private", _) => Self::Private,
            ("shareable", _) => Self::Shareable,
            (_, Some(("service", name))) if !name.is_empty() => Self::Service(name.into()),
            (_, Some(("container", name))) if !name.is_empty() => Self::Container(name.to_owned()),
            _ => return None,
        })
    }

    /// The service whose namespace it is, if it is another service's.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Service(name) => Some(name),
            _ => None,
        }
    }
}

impl Ulimit {
    fn read(at: &At<'_>) -> Option<Self> {
        const LIMIT: &str = "a whole number";
        if !at.is_map() {
            return at.whole(LIMIT).map(|limit| Self { soft: limit, hard: limit });
        }
        let mut fields = at.fields();
        let (soft, hard) = (fields.whole("soft", LIMIT), fields.whole("hard", LIMIT));
        fields.finish();
        Some(Self { soft: soft?, hard: hard? })
    }
}
