//! Networks of the project.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Key, is_default};
use crate::read::{At, Fields};

/// A network that services join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// What the Engine calls it.
    pub name: String,
    /// Whether it exists already and is never made or removed by a deployment.
    #[serde(skip_serializing_if = "is_default")]
    pub external: bool,
    /// The driver; `None` is the Engine's default.
    #[serde(skip_serializing_if = "is_default")]
    pub driver: Option<String>,
    /// The driver's options.
    #[serde(skip_serializing_if = "is_default")]
    pub driver_opts: BTreeMap<String, String>,
    /// Whether it has no way out.
    #[serde(skip_serializing_if = "is_default")]
    pub internal: bool,
    /// Whether containers outside of a Swarm may join it.
    #[serde(skip_serializing_if = "is_default")]
    pub attachable: bool,
    /// Whether it has IPv4; `None` is the Engine's default.
    #[serde(skip_serializing_if = "is_default")]
    pub enable_ipv4: Option<bool>,
    /// Whether it has IPv6; `None` is the Engine's default.
    #[serde(skip_serializing_if = "is_default")]
    pub enable_ipv6: Option<bool>,
    /// How its addresses are given out.
    #[serde(skip_serializing_if = "is_default")]
    pub ipam: Option<Ipam>,
    /// Labels.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
}

/// How a network's addresses are given out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ipam {
    /// The driver; `None` is the Engine's default.
    #[serde(skip_serializing_if = "is_default")]
    pub driver: Option<String>,
    /// The driver's options.
    #[serde(skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, String>,
    /// Ranges of addresses.
    #[serde(skip_serializing_if = "is_default")]
    pub pools: Vec<IpamPool>,
}

/// A range of addresses, in the notation of the file, such as `172.28.0.0/16`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IpamPool {
    /// The network's own range.
    #[serde(skip_serializing_if = "is_default")]
    pub subnet: Option<String>,
    /// The part from which containers get addresses.
    #[serde(skip_serializing_if = "is_default")]
    pub ip_range: Option<String>,
    /// The gateway's address.
    #[serde(skip_serializing_if = "is_default")]
    pub gateway: Option<String>,
    /// Addresses that are taken by something else, by its name.
    #[serde(skip_serializing_if = "is_default")]
    pub aux_addresses: BTreeMap<String, String>,
}

impl Network {
    /// The network that services join when they name none.
    pub(crate) fn unnamed(project: &str) -> Self {
        Self { name: format!("{project}_default"), ..Self::default() }
    }

    pub(crate) fn read(at: &At<'_>, key: &Key) -> Self {
        let mut fields = at.fields();
        let (name, external) = name_and_external(&mut fields, at, key);
        let network = Self {
            name,
            external,
            driver: fields.text("driver"),
            driver_opts: fields.text_pairs("driver_opts"),
            internal: fields.flag("internal").unwrap_or(false),
            attachable: fields.flag("attachable").unwrap_or(false),
            enable_ipv4: fields.flag("enable_ipv4"),
            enable_ipv6: fields.flag("enable_ipv6"),
            ipam: fields.take("ipam").map(|at| Ipam::read(&at)),
            labels: fields.text_pairs("labels"),
        };
        fields.finish();
        let bare = Self { name: network.name.clone(), external: true, ..Self::default() };
        if external && network != bare {
            at.problem(
                "expected only `name` beside `external: true`, but found more; an external network is used as it is",
            );
        }
        network
    }
}

impl Ipam {
    fn read(at: &At<'_>) -> Self {
        let mut fields = at.fields();
        let pools = fields.take("config").map(|at| at.items()).unwrap_or_default();
        let ipam = Self {
            driver: fields.text("driver"),
            options: fields.text_pairs("options"),
            pools: pools.iter().map(IpamPool::read).collect(),
        };
        fields.finish();
        ipam
    }
}

impl IpamPool {
    fn read(at: &At<'_>) -> Self {
        let mut fields = at.fields();
        let pool = Self {
            subnet: fields.text("subnet"),
            ip_range: fields.text("ip_range"),
            gateway: fields.text("gateway"),
            aux_addresses: fields.text_pairs("aux_addresses"),
        };
        fields.finish();
        pool
    }
}

/// `name` and `external`, which may be a map with the name in older files.
pub(crate) fn name_and_external(fields: &mut Fields<'_>, at: &At<'_>, key: &Key) -> (String, bool) {
    let mut name = fields.text("name");
    let external = match fields.take("external") {
        Some(at) if at.is_map() => {
            let mut fields = at.fields();
            name = name.or(fields.text("name"));
            fields.finish();
            true
        }
        Some(at) => at.flag().unwrap_or(false),
        None => false,
    };
    let name = name.unwrap_or_else(|| if external { key.to_string() } else { format!("{}_{key}", at.cx.project) });
    (name, external)
}
