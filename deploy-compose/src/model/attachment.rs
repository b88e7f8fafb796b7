//! How a service is connected to networks.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use serde::{Deserialize, Serialize};

use super::{Key, ServiceName, is_default};
use crate::{declared::Kind, node::Entry, read::At};

/// A service's place in one network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attachment {
    /// Further names that the service answers to in this network, beside its own.
    #[serde(skip_serializing_if = "is_default")]
    pub aliases: Vec<String>,
    /// A fixed IPv4 address.
    #[serde(skip_serializing_if = "is_default")]
    pub ipv4_address: Option<Ipv4Addr>,
    /// A fixed IPv6 address.
    #[serde(skip_serializing_if = "is_default")]
    pub ipv6_address: Option<Ipv6Addr>,
    /// Link-local addresses.
    #[serde(skip_serializing_if = "is_default")]
    pub link_local_ips: Vec<IpAddr>,
    /// A fixed hardware address in this network.
    #[serde(skip_serializing_if = "is_default")]
    pub mac_address: Option<String>,
    /// Options for the network's driver.
    #[serde(skip_serializing_if = "is_default")]
    pub driver_opts: BTreeMap<String, String>,
    /// Networks are joined in order of falling priority.
    #[serde(skip_serializing_if = "is_default")]
    pub priority: i64,
    /// The network with the highest of these gives the default gateway.
    #[serde(skip_serializing_if = "is_default")]
    pub gateway_priority: i64,
    /// The name of the network interface inside the container.
    #[serde(skip_serializing_if = "is_default")]
    pub interface_name: Option<String>,
}

/// `network_mode`: instead of joining networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkMode {
    /// No network but the loopback.
    None,
    /// The host's own.
    Host,
    /// The Engine's default bridge.
    Bridge,
    /// That of another service's container.
    Service(ServiceName),
    /// That of a container outside of the project.
    Container(String),
    /// A network of the Engine, by its name there.
    Named(String),
}

impl NetworkMode {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match (text, text.split_once(':')) {
            ("", _) => return None,
            ("none", _) => Self::None,
            ("host", _) => Self::Host,
            ("bridge", _) => Self::Bridge,
            (_, Some(("service", name))) if !name.is_empty() => Self::Service(name.into()),
            (_, Some(("container", name))) if !name.is_empty() => Self::Container(name.to_owned()),
            (_, Some(_)) => return None,
            (name, None) => Self::Named(name.to_owned()),
        })
    }
}

impl Attachment {
    fn read(at: &At<'_>) -> Self {
        let mut fields = at.fields();
        let attachment = Self {
            aliases: fields.texts("aliases"),
            ipv4_address: fields
                .take("ipv4_address")
                .and_then(|at| at.parsed("an IPv4 address", |text| text.parse().ok())),
            ipv6_address: fields
                .take("ipv6_address")
                .and_then(|at| at.parsed("an IPv6 address", |text| text.parse().ok())),
            link_local_ips: fields
                .take("link_local_ips")
                .map(|at| at.items())
                .unwrap_or_default()
                .iter()
                .filter_map(|at| at.parsed("an IP address", |text| text.parse().ok()))
                .collect(),
            mac_address: fields.text("mac_address"),
            driver_opts: fields.text_pairs("driver_opts"),
            priority: fields.whole("priority", "a whole number").unwrap_or_default(),
            gateway_priority: fields.whole("gw_priority", "a whole number").unwrap_or_default(),
            interface_name: fields.text("interface_name"),
        };
        fields.finish();
        attachment
    }

    /// The networks of a service, as a list of keys or as a map.
    pub(crate) fn read_all(at: &At<'_>) -> BTreeMap<Key, Self> {
        if at.is_list() {
            let read = |at: At<'_>| Some((at.declared(Kind::Network, at.place(), &at.text()?)?, Self::default()));
            return at.items().into_iter().filter_map(read).collect();
        }
        let read = |(entry, at): (&Entry, At<'_>)| {
            Some((at.declared(Kind::Network, &entry.key_place, &entry.key)?, Self::read(&at)))
        };
        at.members().into_iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_modes_are_told_apart() {
        let cases = [
            ("host", Some(NetworkMode::Host)),
            ("none", Some(NetworkMode::None)),
            ("service:vpn", Some(NetworkMode::Service("vpn".into()))),
            ("container:abc", Some(NetworkMode::Container("abc".into()))),
            ("shared", Some(NetworkMode::Named("shared".into()))),
            ("service:", None),
            ("sidecar:x", None),
            ("", None),
        ];
        for (text, mode) in cases {
            assert_eq!(NetworkMode::parse(text), mode, "{text}");
        }
    }
}
