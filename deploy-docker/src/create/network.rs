use super::isolation::namespace;
use crate::{definition::Joined, treatment::Treatment};
use bollard::models::{EndpointIpamConfig, EndpointSettings, NetworkingConfig, PortBinding, PortMap};
use deploy_compose::model::{Attachment, Key, Namespace, NetworkMode, Port, Project, Service};
use std::collections::HashMap;

/// The option by which network drivers name a container's interface.
const INTERFACE: &str = "com.docker.network.endpoint.ifname";

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
    // the service's own hardware address belongs to the first
    let addresses = std::iter::once(service.mac_address.as_ref()).chain(std::iter::repeat(None));
    let joined = attachments(service).into_iter().zip(addresses).map(|((key, attachment), address)| {
        let own = own_endpoint(attachment, address);
        let endpoint = if treatment.is_routed() { own } else { named(service, attachment, own) };
        Joined { network: network_name(project, key), endpoint }
    });
    joined.collect()
}

/// What a container's place in a network is, whoever has the service's names.
fn own_endpoint(from: &Attachment, address: Option<&String>) -> EndpointSettings {
    let Attachment {
        mac_address,
        driver_opts,
        gateway_priority,
        interface_name,
        // the order of the networks
        priority: _,
        // the names' endpoint has these
        aliases: _,
        ipv4_address: _,
        ipv6_address: _,
        link_local_ips: _,
    } = from;
    let interface = interface_name.iter().map(|name| (INTERFACE.to_owned(), name.clone()));
    let options: HashMap<_, _> = driver_opts.clone().into_iter().chain(interface).collect();
    EndpointSettings {
        driver_opts: Some(options).filter(|options| !options.is_empty()),
        gw_priority: Some(*gateway_priority).filter(|priority| *priority != 0),
        mac_address: mac_address.as_ref().or(address).cloned(),
        ..EndpointSettings::default()
    }
}

/// An endpoint that answers to the service's names, at its fixed addresses.
pub(crate) fn named(service: &Service, attachment: &Attachment, endpoint: EndpointSettings) -> EndpointSettings {
    let Attachment {
        aliases,
        ipv4_address,
        ipv6_address,
        link_local_ips,
        // these are the containers' own
        mac_address: _,
        driver_opts: _,
        gateway_priority: _,
        interface_name: _,
        priority: _,
    } = attachment;
    let further = aliases.iter().filter(|alias| **alias != service.name.as_str());
    let fixed = ipv4_address.is_some() || ipv6_address.is_some() || !link_local_ips.is_empty();
    EndpointSettings {
        aliases: Some(std::iter::once(service.name.as_str().to_owned()).chain(further.cloned()).collect()),
        ipam_config: fixed.then(|| EndpointIpamConfig {
            ipv4_address: ipv4_address.map(|address| address.to_string()),
            ipv6_address: ipv6_address.map(|address| address.to_string()),
            link_local_ips: super::list(link_local_ips.iter().map(ToString::to_string).collect()),
        }),
        ..endpoint
    }
}

/// A fixed hardware address in the network that `network_mode` names; in no other case there is anything to say of it.
pub(super) fn addressed(service: &Service) -> Option<NetworkingConfig> {
    let network = match &service.network_mode {
        Some(NetworkMode::Bridge) => "bridge",
        Some(NetworkMode::Named(name)) => name,
        _ => return None,
    };
    let address = service.mac_address.clone()?;
    let endpoint = EndpointSettings { mac_address: Some(address), ..EndpointSettings::default() };
    Some(NetworkingConfig { endpoints_config: Some(HashMap::from([(network.to_owned(), endpoint)])) })
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
    // the name is for people, and what is spoken for the proxy
    for Port { target, published, host_ip, protocol, app_protocol: _, name: _ } in ports {
        let binding = PortBinding {
            host_ip: host_ip.map(|address| address.to_string()),
            host_port: published.map(|range| range.to_string()),
        };
        bindings.entry(format!("{target}/{protocol}")).or_default().get_or_insert_default().push(binding);
    }
    Some(bindings).filter(|bindings| !bindings.is_empty())
}

/// `NAME:ADDRESS`.
pub(super) fn extra_hosts(service: &Service) -> Vec<String> {
    let hosts = service.extra_hosts.iter();
    hosts.flat_map(|(name, addresses)| addresses.iter().map(move |address| format!("{name}:{address}"))).collect()
}
