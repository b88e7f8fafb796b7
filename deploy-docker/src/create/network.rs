use super::isolation::namespace;
use crate::{definition::Joined, treatment::Treatment};
use bollard::models::{EndpointIpamConfig, EndpointSettings, PortBinding, PortMap};
use deploy_compose::model::{Attachment, Key, Namespace, NetworkMode, Port, Project, Service};
use std::collections::HashMap;

/// The networks that a service joins, in the order in which they are joined, with their keys in the file.
pub(crate) fn attachments(service: &Service) -> Vec<(&Key, &Attachment)> {
    let mut attachments: Vec<_> = service.networks.iter().collect();
    attachments.sort_by_key(|(_, attachment)| std::cmp::Reverse(attachment.priority));
    attachments
}

/// The Engine's name of a network of the file.
pub(crate) fn network_name(project: &Project, key: &Key) -> String {
    project.networks.get(key).map_or_else(|| format!("{}_{key}", project.name), |network| network.name.clone())
}

/// The places of the service's own containers in its networks. Where a proxy stands for the service, the names and
/// fixed addresses are the proxy's.
pub(super) fn joined(project: &Project, service: &Service, treatment: &Treatment) -> Vec<Joined> {
    let joined = attachments(service).into_iter().map(|(key, attachment)| {
        let own = EndpointSettings {
            driver_opts: super::map(&attachment.driver_opts),
            gw_priority: Some(attachment.gateway_priority).filter(|priority| *priority != 0),
            mac_address: attachment.mac_address.clone().or_else(|| service.mac_address.clone()),
            ..EndpointSettings::default()
        };
        let endpoint = match treatment.is_routed() {
            true => own,
            false => EndpointSettings { ..named(service, attachment, own) },
        };
        Joined { network: network_name(project, key), endpoint }
    });
    joined.collect()
}

/// An endpoint that answers to the service's names, at its fixed addresses.
pub(crate) fn named(service: &Service, attachment: &Attachment, endpoint: EndpointSettings) -> EndpointSettings {
    let mut aliases = vec![service.name.as_str().to_owned()];
    aliases.extend(attachment.aliases.iter().filter(|alias| **alias != service.name.as_str()).cloned());
    let fixed =
        attachment.ipv4_address.is_some() || attachment.ipv6_address.is_some() || !attachment.link_local_ips.is_empty();
    EndpointSettings {
        aliases: Some(aliases),
        ipam_config: fixed.then(|| EndpointIpamConfig {
            ipv4_address: attachment.ipv4_address.map(|address| address.to_string()),
            ipv6_address: attachment.ipv6_address.map(|address| address.to_string()),
            link_local_ips: super::list(attachment.link_local_ips.iter().map(ToString::to_string).collect()),
        }),
        ..endpoint
    }
}

/// The first network, or what is used instead of networks.
pub(super) fn mode(project: &Project, service: &Service) -> Option<String> {
    match &service.network_mode {
        Some(NetworkMode::None) => Some("none".to_owned()),
        Some(NetworkMode::Host) => Some("host".to_owned()),
        Some(NetworkMode::Bridge) => Some("bridge".to_owned()),
        Some(NetworkMode::Service(name)) => Some(namespace(&Namespace::Service(name.clone()))),
        Some(NetworkMode::Container(name)) => Some(namespace(&Namespace::Container(name.clone()))),
        Some(NetworkMode::Named(name)) => Some(name.clone()),
        None => attachments(service).first().map(|(key, _)| network_name(project, key)),
    }
}

/// What the service's own containers publish and expose; nothing is published where a proxy does it.
pub(super) fn ports(service: &Service, treatment: &Treatment) -> (Option<PortMap>, Option<Vec<String>>) {
    let mut exposed: Vec<_> = service.expose.iter().map(|port| format!("{}/{}", port.port, port.protocol)).collect();
    exposed.extend(service.ports.iter().map(|port| format!("{}/{}", port.target, port.protocol)));
    exposed.sort();
    exposed.dedup();
    let published = match treatment.is_routed() {
        true => None,
        false => bindings(&service.ports),
    };
    (published, super::list(exposed))
}

/// Published ports, as the create call takes them.
pub(crate) fn bindings(ports: &[Port]) -> Option<PortMap> {
    let mut bindings: PortMap = HashMap::new();
    for port in ports {
        let binding = PortBinding {
            host_ip: port.host_ip.map(|address| address.to_string()),
            host_port: port.published.map(|range| range.to_string()),
        };
        bindings.entry(format!("{}/{}", port.target, port.protocol)).or_default().get_or_insert_default().push(binding);
    }
    Some(bindings).filter(|bindings| !bindings.is_empty())
}

/// `NAME:ADDRESS`.
pub(super) fn extra_hosts(service: &Service) -> Vec<String> {
    let hosts = service.extra_hosts.iter();
    hosts.flat_map(|(name, addresses)| addresses.iter().map(move |address| format!("{name}:{address}"))).collect()
}
