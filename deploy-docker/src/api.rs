//! What came with a version of the Engine's API: an older Engine drops it in silence.
//!
//! What we ask for ourselves isn't among it: only a newer Engine has to be told that the network on which a proxy
//! publishes gives it its gateway (`GwPriority`), since with an older one that network's name sorts first already.

use crate::element::Element;
use deploy_compose::model::{Attachment, MountKind, Network, Project, Service};

/// A version of the API, and the first release of Docker that speaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    api: (u32, u32),
    docker: &'static str,
}

const V1_43: Version = Version { api: (1, 43), docker: "24.0" };
const V1_44: Version = Version { api: (1, 44), docker: "25.0" };
const V1_45: Version = Version { api: (1, 45), docker: "26.0" };
const V1_46: Version = Version { api: (1, 46), docker: "27.0" };
const V1_48: Version = Version { api: (1, 48), docker: "28.0" };
const V1_49: Version = Version { api: (1, 49), docker: "28.1" };

/// Since when an Engine makes a container in all its networks at once, with everything that is said of them.
pub(crate) const ALL_NETWORKS_AT_ONCE: (u32, u32) = V1_44.api;

/// Since when an Engine that holds an image for several platforms tells of one of them.
pub(crate) const IMAGE_OF_A_PLATFORM: (u32, u32) = V1_49.api;

/// Finds what needs the version in a service, or in its place in a network; yields the path below it.
enum Need {
    Service(fn(&Service) -> Option<String>),
    Attachment(fn(&Attachment) -> Option<&'static str>),
    Network(fn(&Network) -> Option<&'static str>),
}

/// From the Engine API's version history.
const NEEDS: [(Version, Need); 9] = [
    (V1_43, Need::Service(|service| (!service.annotations.is_empty()).then(|| "annotations".to_owned()))),
    (
        V1_44,
        Need::Service(|service| {
            let interval = service.healthcheck.as_ref().and_then(|check| check.start_interval);
            interval.map(|_| "healthcheck.start_interval".to_owned())
        }),
    ),
    // before, a container had one: the client has no words for that any more
    (V1_44, Need::Service(|service| service.mac_address.as_ref().map(|_| "mac_address".to_owned()))),
    (V1_44, Need::Attachment(|attachment| attachment.mac_address.as_ref().map(|_| "mac_address"))),
    (
        V1_45,
        Need::Service(|service| {
            let has_subpath = |kind: &MountKind| matches!(kind, MountKind::Volume { subpath: Some(_), .. });
            let mount = service.volumes.iter().position(|mount| has_subpath(&mount.kind));
            mount.map(|index| format!("volumes[{index}].volume.subpath"))
        }),
    ),
    (
        V1_46,
        Need::Attachment(|attachment| {
            let sysctls = attachment.driver_opts.contains_key("com.docker.network.endpoint.sysctls");
            sysctls.then_some("driver_opts")
        }),
    ),
    (V1_48, Need::Attachment(|attachment| (attachment.gateway_priority != 0).then_some("gw_priority"))),
    (V1_48, Need::Network(|network| (network.enable_ipv4 == Some(false)).then_some("enable_ipv4"))),
    (V1_49, Need::Attachment(|attachment| attachment.interface_name.as_ref().map(|_| "interface_name"))),
];

/// Something of the file that an Engine is too old for.
#[derive(Debug, PartialEq)]
pub(crate) struct TooOld {
    pub(crate) at: Element,
    /// The API that has it, such as `1.44`.
    pub(crate) needed: String,
    /// The first release of Docker that has it.
    pub(crate) docker: &'static str,
}

/// The first thing of a project that an Engine with this API would drop.
pub(crate) fn dropped(project: &Project, api: (u32, u32)) -> Option<TooOld> {
    let (version, path) = NEEDS.iter().filter(|(version, _)| version.api > api).find_map(|(version, need)| {
        let path = need.path(project)?;
        Some((version, path))
    })?;
    let (major, minor) = version.api;
    Some(TooOld { at: Element::of(project, path), needed: format!("{major}.{minor}"), docker: version.docker })
}

impl Need {
    /// The element that has it, if one does.
    fn path(&self, project: &Project) -> Option<String> {
        let mut services = project.services.values();
        match self {
            Self::Service(find) => {
                services.find_map(|service| Some(format!("services.{}.{}", service.name, find(service)?)))
            }
            Self::Attachment(find) => services.find_map(|service| {
                service.networks.iter().find_map(|(key, attachment)| {
                    Some(format!("services.{}.networks.{key}.{}", service.name, find(attachment)?))
                })
            }),
            Self::Network(find) => {
                project.networks.iter().find_map(|(key, network)| Some(format!("networks.{key}.{}", find(network)?)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deploy_compose::Loader;

    /// What an Engine with this API would drop of a service `web` with a line, on networks that have another.
    fn found(line: &str, network: &str, api: (u32, u32)) -> Option<String> {
        let text = format!(
            "services:\n  web:\n    image: web\n    {line}\nvolumes: {{ data: {{}} }}\nnetworks:\n  a: {{ {network} }}\n  b: {{}}\n"
        );
        let project = Loader::new("/shop").name("shop").load_str("compose.yaml", &text).unwrap();
        dropped(&project, api).map(|found| format!("{} needs {} of Docker {}", found.at, found.needed, found.docker))
    }

    #[test]
    fn what_an_older_engine_drops_is_found_and_a_newer_one_has_it() {
        let mac = "02:00:00:00:00:01";
        let rows = [
            ("annotations: { a: b }", "", 43, "4:5: services.web.annotations needs 1.43 of Docker 24.0"),
            (
                "healthcheck: { start_interval: 1s }",
                "",
                44,
                "4:20: services.web.healthcheck.start_interval needs 1.44 of Docker 25.0",
            ),
            (&format!("mac_address: '{mac}'"), "", 44, "4:5: services.web.mac_address needs 1.44 of Docker 25.0"),
            (
                &format!("networks: {{ a: {{ mac_address: '{mac}' }} }}"),
                "",
                44,
                "4:22: services.web.networks.a.mac_address needs 1.44 of Docker 25.0",
            ),
            (
                "volumes: [{ type: volume, source: data, target: /x, volume: { subpath: y } }]",
                "",
                45,
                "4:67: services.web.volumes[0].volume.subpath needs 1.45 of Docker 26.0",
            ),
            (
                "networks: { a: { driver_opts: { com.docker.network.endpoint.sysctls: x=1 } } }",
                "",
                46,
                "4:22: services.web.networks.a.driver_opts needs 1.46 of Docker 27.0",
            ),
            (
                "networks: { a: { gw_priority: 1 } }",
                "",
                48,
                "4:22: services.web.networks.a.gw_priority needs 1.48 of Docker 28.0",
            ),
            ("networks: [a]", "enable_ipv4: false", 48, "7:8: networks.a.enable_ipv4 needs 1.48 of Docker 28.0"),
            (
                "networks: { a: { interface_name: lan } }",
                "",
                49,
                "4:22: services.web.networks.a.interface_name needs 1.49 of Docker 28.1",
            ),
        ];
        assert_eq!(rows.len(), NEEDS.len());
        for (line, network, minor, expected) in rows {
            let expected = format!("compose.yaml:{expected}");
            assert_eq!(found(line, network, (1, minor - 1)), Some(expected), "{line}");
            assert_eq!(found(line, network, (1, minor)), None, "{line}");
        }
    }

    #[test]
    fn what_is_usual_anyway_needs_no_version() {
        assert_eq!(found("networks: { a: { gw_priority: 0 } }", "enable_ipv4: true", (1, 41)), None);
    }
}
