use crate::{create::network::attachments, image::ImageFacts};
use deploy_compose::model::{NetworkMode, Port, Project, Protocol, Service, ServiceName};
use deploy_core::model::Order;
use deploy_proxy::control::{ListenerSpec, Protocol as Spoken};
use std::collections::{BTreeMap, BTreeSet};

/// How requests reach a service.
#[derive(Debug)]
pub(super) enum Routing {
    /// Through a proxy.
    Proxy {
        /// What it listens on.
        listeners: Vec<ListenerSpec>,
        /// What people should know.
        notes: Vec<String>,
    },
    /// As with Compose.
    Direct {
        /// Why, as a sentence.
        why: String,
        /// Why two of its containers can't run side by side, if so: `because …`.
        exclusive: Option<String>,
    },
}

/// Decides how requests reach a service whose containers come in this order.
pub(super) fn routing(project: &Project, service: &Service, image: &ImageFacts, order: Order) -> Routing {
    let direct = |why: &str, exclusive: Option<&str>| Routing::Direct {
        why: format!("No proxy, as with Compose: {why}."),
        exclusive: exclusive.map(|reason| format!("because {reason}")),
    };
    let fixed_port = service.ports.iter().any(|port| port.published.is_some());
    let one_port = fixed_port.then_some("two can't publish the same port");
    let one_address = service.mac_address.is_some().then_some("two can't have the same hardware address");
    match &service.network_mode {
        Some(NetworkMode::Host) => {
            return direct("it uses the host's network", Some("two can't listen on the same port of the host"));
        }
        Some(NetworkMode::None) => return direct("it has no network", None),
        Some(NetworkMode::Service(name)) => {
            let why = format!("it belongs to one container of {name}");
            return direct(&format!("it uses the network of {name}"), Some(&why));
        }
        Some(NetworkMode::Container(name)) => {
            return direct(&format!("it uses the network of {name}"), Some("two can't listen on the same port there"));
        }
        Some(NetworkMode::Bridge | NetworkMode::Named(_)) => {
            return direct("`network_mode` leaves it without a name in a network", one_address.or(one_port));
        }
        None => {}
    }
    if let Some(lodger) = lodger(project, service) {
        let why = format!("its containers have one network with those of {lodger}");
        return direct(&format!("{lodger} uses its network, and may be what answers there"), Some(&why));
    }
    let ports = known_ports(service, image);
    if let Some(port) = ports.datagrams.first() {
        return direct(&format!("port {port} isn't TCP, which is all that a proxy switches"), one_port);
    }
    if ports.tcp.is_empty() {
        return direct("no port of it is known (`ports`, `expose`, EXPOSE of the image)", None);
    }
    if order == Order::StopFirst && service.ports.is_empty() {
        return direct("nothing is published, and only one of it runs at a time", None);
    }
    if service.mac_address.is_some() || service.networks.values().any(|attachment| attachment.mac_address.is_some()) {
        return direct("it has a fixed hardware address", Some("two can't have the same hardware address"));
    }
    let listeners: Vec<_> = ports.tcp.iter().map(|(port, app)| listener(*port, app.as_deref())).collect();
    let notes = notes(project, service, &listeners);
    Routing::Proxy { listeners, notes }
}

/// A service that uses this one's network: whose ports are whose, nobody knows.
fn lodger<'a>(project: &'a Project, service: &Service) -> Option<&'a ServiceName> {
    let lives_here = |other: &&Service| other.network_mode == Some(NetworkMode::Service(service.name.clone()));
    project.services.values().find(lives_here).map(|other| &other.name)
}

#[derive(Debug, Default)]
struct KnownPorts {
    /// With what is spoken there, where the file says so.
    tcp: BTreeMap<u16, Option<String>>,
    /// Those of UDP and SCTP.
    datagrams: BTreeSet<String>,
}

fn known_ports(service: &Service, image: &ImageFacts) -> KnownPorts {
    let mut known = KnownPorts::default();
    let mut add = |port: u16, protocol: Protocol, app: Option<&String>| match protocol {
        Protocol::Tcp => {
            let spoken = known.tcp.entry(port).or_default();
            *spoken = spoken.take().or(app.cloned());
        }
        other => {
            known.datagrams.insert(format!("{port}/{other}"));
        }
    };
    for Port { target, protocol, app_protocol, .. } in &service.ports {
        add(*target, *protocol, app_protocol.as_ref());
    }
    for port in &service.expose {
        add(port.port, port.protocol, None);
    }
    for (port, protocol) in image.ports.iter().filter_map(|port| exposed(port)) {
        add(port, protocol, None);
    }
    known
}

/// EXPOSE, as the Engine writes it: `80/tcp`.
pub(super) fn exposed(text: &str) -> Option<(u16, Protocol)> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return None,
    };
    Some((port.parse().ok()?, protocol))
}

fn listener(port: u16, app: Option<&str>) -> ListenerSpec {
    let protocol = match app {
        Some("http" | "http1" | "http/1.1" | "ws") => Spoken::Http,
        None | Some("h2c" | "grpc" | "http2") => Spoken::of_port(port),
        Some(_) => Spoken::Bytes,
    };
    ListenerSpec { address: None, port, backend_port: port, protocol }
}

fn notes(project: &Project, service: &Service, listeners: &[ListenerSpec]) -> Vec<String> {
    let list = |ports: &[u16]| match ports {
        [one] => format!("port {one}"),
        ports => format!("ports {}", ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")),
    };
    let all: Vec<_> = listeners.iter().map(|listener| listener.port).collect();
    let mut notes = vec![format!("Requests to {} go through a proxy, which switches them.", list(&all))];
    let (bytes, requests): (Vec<_>, Vec<_>) = listeners.iter().partition(|listener| listener.protocol == Spoken::Bytes);
    if !bytes.is_empty() {
        let bytes: Vec<_> = bytes.iter().map(|listener| listener.port).collect();
        notes.push(format!("At {} whole connections are switched.", list(&bytes)));
    }
    if !service.ports.is_empty() {
        notes.push(match requests.is_empty() {
            true => "It sees the proxy's address as its clients'.".to_owned(),
            false => {
                "It sees the proxy's address as its clients'; plain HTTP has theirs in `X-Forwarded-For`.".to_owned()
            }
        });
    }
    let internal = |key| project.networks.get(key).is_some_and(|network| network.internal);
    if !service.ports.is_empty() && attachments(service).into_iter().all(|(key, _)| internal(key)) {
        notes.push("Nothing is published, as with Compose, because all its networks are internal.".to_owned());
    }
    notes
}
