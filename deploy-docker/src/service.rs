//! What strategies need to know of a service.

use crate::{
    create::{effective, health_config, network},
    definition::Joined,
    foundations::Foreign,
    image::ImageFacts,
    objects::{NetworkSpec, ProxySpec, VolumeSpec, network_object, proxy_object, volume_object},
    shared::ingress_network,
    treatment::Treatment,
};
use bollard::models::{HealthConfig, Ipam, IpamConfig};
use deploy_compose::model::{self as compose, IpamPool, Key, MountKind, Project, Service, UpdateConfig};
use deploy_core::model::{
    BasisPoints, Batch, Clocks, Count, Millis, Named, Object, Order, Release, RouterId, ServiceSpec, TargetId,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long requests in flight may take to end.
const DRAIN_BY: Millis = Millis::from_secs(30);
/// How long an instance of which nothing can be asked must run until it counts as healthy.
const RUNNING_FOR: Millis = Millis::from_secs(2);
/// How long a container may take to stop, where the file doesn't say.
const STOP_BY: Duration = Duration::from_secs(10);
/// How long a container's own test may take, where neither file nor image says.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// All that a service's part of a plan is made from.
pub(crate) struct Parts<'a> {
    pub(crate) project: &'a Project,
    pub(crate) service: &'a Service,
    pub(crate) image: &'a ImageFacts,
    pub(crate) treatment: &'a Treatment,
    pub(crate) release: Release,
    pub(crate) target: &'a TargetId,
    pub(crate) router: &'a RouterId,
    /// What is there and we didn't make: it is used as it is.
    pub(crate) foreign: &'a Foreign,
}

/// What strategies need to know of a service.
pub(crate) fn service_spec(parts: &Parts<'_>) -> ServiceSpec {
    let Parts { project, service, treatment, .. } = parts;
    let test = effective(service.healthcheck.as_ref().map(health_config).as_ref(), parts.image.healthcheck.as_ref());
    let (check, healthy_for) = check(parts, test.as_ref());
    let start = test.and_then(|test| test.start_period).and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(0);
    let usual = Clocks::default();
    let longer = Millis::from(Duration::from_nanos(start)).plus(healthy_for);
    let clocks = Clocks {
        healthy_for,
        healthy_by: usual.healthy_by.plus(longer),
        progress_by: usual.progress_by.plus(longer),
        ..usual
    };
    let parallelism = service.update_config.as_ref().and_then(batch_size);
    let stop_by = Millis::from(service.stop_grace_period.unwrap_or(STOP_BY));
    let needs = service.depends_on.keys().filter(|name| project.services.contains_key(*name));
    ServiceSpec {
        release: parts.release.clone(),
        count: Count::Exactly(service.replicas),
        router: treatment.is_routed().then(|| parts.router.clone()),
        order: treatment.order,
        batch: match parallelism {
            Some(size @ 1..) => Batch::Size(size),
            Some(0) | None => Batch::Share(BasisPoints::ALL),
        },
        check,
        clocks,
        smoke: Vec::new(),
        bake: Millis::ZERO,
        drain_by: match treatment.order {
            Order::StartFirst => DRAIN_BY,
            // new requests wait meanwhile, and a database's clients keep their connections: as long as Compose would wait
            Order::StopFirst => DRAIN_BY.min(stop_by),
        },
        stop_by,
        needs: needs.map(|name| name.as_str().into()).collect(),
        lives_in: service.lives_in().into_iter().map(|name| name.as_str().into()).collect(),
        objects: objects(parts),
        keep_failed: false,
        notes: treatment.notes.clone(),
    }
}

fn batch_size(from: &UpdateConfig) -> Option<u32> {
    let UpdateConfig {
        parallelism,
        // by the treatment
        order: _,
        // named as without effect
        delay: _,
        failure_action: _,
        monitor: _,
        max_failure_ratio: _,
    } = from;
    *parallelism
}

/// The container's own test; else a connection to a port, where a proxy can try it; else that it goes on running.
fn check(parts: &Parts<'_>, test: Option<&HealthConfig>) -> (Named, Millis) {
    if let Some(test) = test {
        let nanos = test.timeout.and_then(|nanos| u64::try_from(nanos).ok()).filter(|nanos| *nanos > 0);
        let timeout = nanos.map_or(TEST_TIMEOUT, Duration::from_nanos);
        return (Named::new("own", json!({ "timeout": Millis::from(timeout) })), Millis::ZERO);
    }
    let tcp = |port: u16| Named::new("tcp", json!({ "port": port }));
    let Treatment { listeners, .. } = parts.treatment;
    // what the file names, it means; what the image exposes, it may not even listen on
    let named = parts.service.ports.iter().map(|port| port.target);
    let named = named.chain(parts.service.expose.iter().map(|port| port.port));
    let mut named = named.filter(|port| listeners.iter().any(|listener| listener.port == *port));
    match (named.next(), &listeners[..]) {
        (Some(port), _) => (tcp(port), Millis::ZERO),
        (None, [one]) => (tcp(one.port), Millis::ZERO),
        (None, []) => (Named::new("running", serde_json::Value::Null), RUNNING_FOR),
        (None, several) => {
            let any: Vec<_> = several.iter().map(|listener| tcp(listener.port)).collect();
            (Named::new("any", json!(any)), Millis::ZERO)
        }
    }
}

/// The networks that a service joins and its proxy, in the order in which they are applied.
fn objects(parts: &Parts<'_>) -> Vec<Object> {
    let Parts { project, service, treatment, target, .. } = parts;
    let attachments = network::attachments(service);
    let internal = |key: &Key| project.networks.get(key).is_some_and(|network| network.internal);
    let publishes = treatment.is_routed() && !service.ports.is_empty();
    let ingress =
        (publishes && !attachments.iter().all(|(key, _)| internal(key))).then(|| ingress_network(&project.name));
    let mut objects: Vec<_> =
        ingress.iter().map(|name| network_object(target, name, &NetworkSpec::default())).collect();
    for (key, _) in &attachments {
        let network = project.networks.get(*key).filter(|network| !network.external);
        if let Some(network) = network.filter(|network| !parts.foreign.networks.contains(&network.name)) {
            objects.push(network_object(target, &network.name, &network_spec(key.as_str(), network)));
        }
    }
    for volume in volumes(project, service).filter(|(_, volume)| !parts.foreign.volumes.contains(&volume.name)) {
        let (key, volume) = volume;
        objects.push(volume_object(target, &volume.name, &volume_spec(key.as_str(), volume)));
    }
    if treatment.is_routed() {
        let networks = attachments.iter().map(|(key, attachment)| {
            let mut endpoint = network::named(service, attachment, Default::default());
            endpoint.aliases.get_or_insert_default().extend(service.container_name.clone());
            Joined { network: network::network_name(project, key), endpoint }
        });
        let labels = service.labels.iter().filter(|(name, _)| treatment.is_moved_label(name));
        let environment = service.environment.iter().filter(|(name, _)| treatment.is_moved_variable(name));
        let proxy = ProxySpec {
            service: service.name.as_str().into(),
            networks: networks.collect(),
            listen: treatment.listeners.iter().map(ToString::to_string).collect(),
            publish: ingress.as_ref().and_then(|_| network::bindings(&service.ports)),
            ingress,
            labels: labels.map(|(name, value)| (name.clone(), value.clone())).collect(),
            environment: environment.map(|(name, value)| (name.clone(), value.expose().to_owned())).collect(),
        };
        objects.push(proxy_object(target, &proxy));
    }
    objects
}

/// The project's own named volumes that a service mounts.
pub(crate) fn volumes<'a>(
    project: &'a Project,
    service: &'a Service,
) -> impl Iterator<Item = (&'a Key, &'a compose::Volume)> {
    let keys = service.volumes.iter().filter_map(|mount| match &mount.kind {
        MountKind::Volume { source, .. } => source.as_ref(),
        _ => None,
    });
    let keys: BTreeSet<&Key> = keys.collect();
    let volumes = keys.into_iter().filter_map(|key| Some((key, project.volumes.get(key)?)));
    volumes.filter(|(_, volume)| !volume.external)
}

pub(crate) fn volume_spec(key: &str, volume: &compose::Volume) -> VolumeSpec {
    let compose::Volume { driver, driver_opts, labels, name: _, external: _ } = volume;
    let mut labels = labels.clone();
    labels.insert(crate::labels::compose::VOLUME.to_owned(), key.to_owned());
    VolumeSpec { driver: driver.clone(), options: driver_opts.clone(), labels }
}

pub(crate) fn network_spec(key: &str, network: &compose::Network) -> NetworkSpec {
    let compose::Network {
        driver,
        driver_opts,
        internal,
        attachable,
        enable_ipv4,
        enable_ipv6,
        ipam: pools,
        labels,
        name: _,
        external: _,
    } = network;
    let mut labels = labels.clone();
    labels.insert(crate::labels::compose::NETWORK.to_owned(), key.to_owned());
    NetworkSpec {
        driver: driver.clone(),
        options: driver_opts.clone(),
        internal: *internal,
        attachable: *attachable,
        enable_ipv4: *enable_ipv4,
        enable_ipv6: *enable_ipv6,
        ipam: pools.as_ref().map(ipam),
        labels,
    }
}

fn ipam(from: &compose::Ipam) -> Ipam {
    let map = |map: &BTreeMap<String, String>| {
        Some(map.clone().into_iter().collect()).filter(|map: &std::collections::HashMap<_, _>| !map.is_empty())
    };
    let compose::Ipam { driver, options, pools } = from;
    let pools = pools.iter().map(|IpamPool { subnet, ip_range, gateway, aux_addresses }| IpamConfig {
        subnet: subnet.clone(),
        ip_range: ip_range.clone(),
        gateway: gateway.clone(),
        auxiliary_addresses: map(aux_addresses),
    });
    Ipam {
        driver: Some(driver.clone().unwrap_or_else(|| "default".to_owned())),
        config: Some(pools.collect()),
        options: map(options),
    }
}
