//! From a service of the file to what its containers are made from.

mod files;
mod health;
mod isolation;
mod mounts;
pub(crate) mod network;
mod resources;

pub use files::FileError;
pub(crate) use files::check_grants;
pub(crate) use health::{argv, effective, health_config};
pub(crate) use mounts::{Mounted, mounted};

use crate::{
    definition::{Content, Definition},
    image::{ImageFacts, version},
    labels::compose,
    paths::BoundPaths,
    treatment::Treatment,
};
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, RestartPolicy, RestartPolicyNameEnum};
use deploy_compose::{
    ComposeConfig,
    model::{Condition, Logging, Project, Restart, Service, ServiceName},
};
use deploy_core::model::ReleaseId;
use std::collections::{BTreeMap, HashMap};

/// All that a service's containers are made from.
#[derive(Clone, Copy)]
pub(crate) struct Ingredients<'a> {
    pub(crate) project: &'a Project,
    pub(crate) service: &'a Service,
    pub(crate) image: &'a ImageFacts,
    pub(crate) paths: &'a BoundPaths,
    pub(crate) treatment: &'a Treatment,
    /// The releases of the services that it waits for.
    pub(crate) releases: &'a BTreeMap<&'a ServiceName, ReleaseId>,
    /// The key of the hashes.
    pub(crate) key: &'a [u8],
}

/// Renders a service.
///
/// # Errors
/// Where a secret or config can't be had.
pub(crate) fn define(from: Ingredients<'_>) -> Result<Definition, FileError> {
    let Ingredients { project, service, treatment, .. } = from;
    let (files, granted) = files::files(from)?;
    let content = Content {
        project: project.name.clone(),
        service: service.name.as_str().into(),
        container: container(from, granted.binds),
        container_name: service.container_name.clone().filter(|_| treatment.may_bear_its_name()),
        platform: service.platform.clone(),
        networks: network::joined(project, service, treatment),
        files,
        lives_in: lives_in(service, from.releases),
        carried: treatment.carried.clone(),
        by_compose: false,
        config: project.compose_config(service.name.as_str()).cloned(),
        bound: files::watched(from, granted.hashes),
    };
    let files = project.files.iter().map(|file| file.to_string_lossy()).collect::<Vec<_>>().join(",");
    let mut definition = Definition::new(content);
    definition.version = version(&service.image);
    let depends_on = service.depends_on.iter().map(|(name, on)| {
        let condition = match on.condition {
            Condition::Started => "service_started",
            Condition::Healthy => "service_healthy",
        };
        format!("{name}:{condition}:{}", on.restart)
    });
    definition.origin = BTreeMap::from([
        (compose::WORKING_DIR.to_owned(), project.directory.to_string_lossy().into_owned()),
        (compose::CONFIG_FILES.to_owned(), files),
        (compose::DEPENDS_ON.to_owned(), depends_on.collect::<Vec<_>>().join(",")),
        (compose::VERSION.to_owned(), ComposeConfig::VERSION.to_owned()),
    ]);
    Ok(definition)
}

fn lives_in(
    service: &Service,
    releases: &BTreeMap<&ServiceName, ReleaseId>,
) -> BTreeMap<deploy_core::model::ServiceName, ReleaseId> {
    let release = |name: &ServiceName| Some((name.as_str().into(), releases.get(name)?.clone()));
    service.lives_in().into_iter().filter_map(release).collect()
}

fn container(from: Ingredients<'_>, granted: Vec<String>) -> ContainerCreateBody {
    let Ingredients { project, service, image, paths, treatment, .. } = from;
    let Service {
        environment,
        labels,
        command,
        entrypoint,
        user,
        group_add,
        working_dir,
        init,
        tty,
        stdin_open,
        stop_signal,
        stop_grace_period,
        restart,
        healthcheck,
        logging,
        annotations,
        hostname,
        domainname,
        dns,
        dns_search,
        dns_opt,
        tmpfs,
        resources,
        isolation,
        // by `mounts` and `files`
        volumes: _,
        secrets: _,
        configs: _,
        // by `network`
        networks: _,
        network_mode: _,
        mac_address: _,
        ports: _,
        expose: _,
        extra_hosts: _,
        // before and after the call
        name: _,
        container_name: _,
        image: _,
        build: _,
        platform: _,
        pull_policy: _,
        replicas: _,
        update_config: _,
        depends_on: _,
        // by loading
        profiles: _,
        // named as without effect
        rollback_config: _,
        deploy_labels: _,
    } = service;
    let (mut binds, mounts) = mounts::mounts(project, service, paths);
    binds.extend(granted);
    let (port_bindings, exposed_ports) = network::ports(service, treatment);
    let mut host = HostConfig {
        binds: list(binds),
        mounts: list(mounts),
        tmpfs: map(tmpfs),
        restart_policy: Some(restart_policy(*restart)),
        log_config: logging
            .as_ref()
            .map(|Logging { driver, options }| HostConfigLogConfig { typ: driver.clone(), config: map(options) }),
        network_mode: network::mode(project, service),
        port_bindings,
        init: *init,
        group_add: list(group_add.clone()),
        dns: list(dns.clone()),
        dns_search: list(dns_search.clone()),
        dns_options: list(dns_opt.clone()),
        extra_hosts: list(network::extra_hosts(service)),
        annotations: map(annotations),
        ..HostConfig::default()
    };
    isolation::isolate(&mut host, isolation);
    resources::limit(&mut host, resources);
    let environment = environment.iter().filter(|(name, _)| !treatment.is_moved_variable(name));
    let labels = labels.iter().filter(|(name, _)| !treatment.is_moved_label(name));
    ContainerCreateBody {
        image: Some(image.id.clone()),
        hostname: hostname.clone(),
        domainname: domainname.clone(),
        user: user.clone(),
        tty: tty.then_some(true),
        open_stdin: stdin_open.then_some(true),
        env: list(environment.map(|(name, value)| format!("{name}={}", value.expose())).collect()),
        cmd: command.clone(),
        entrypoint: entrypoint.clone(),
        healthcheck: healthcheck.as_ref().map(health_config),
        working_dir: working_dir.clone(),
        labels: Some(labels.map(|(name, value)| (name.clone(), value.clone())).collect()),
        stop_signal: stop_signal.clone(),
        stop_timeout: stop_grace_period.and_then(|time| i64::try_from(time.as_secs_f64().ceil() as u64).ok()),
        exposed_ports,
        networking_config: network::addressed(service),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

fn restart_policy(restart: Restart) -> RestartPolicy {
    let (name, most) = match restart {
        Restart::No => (RestartPolicyNameEnum::NO, None),
        Restart::Always => (RestartPolicyNameEnum::ALWAYS, None),
        Restart::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        Restart::OnFailure { max_retries } => (RestartPolicyNameEnum::ON_FAILURE, max_retries.map(i64::from)),
    };
    RestartPolicy { name: Some(name), maximum_retry_count: most }
}

/// Nothing for no entries.
fn list<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

/// Nothing for no entries.
fn map(map: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    let map: HashMap<_, _> = map.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Some(map).filter(|map| !map.is_empty())
}

/// As the Engine's numbers are; what doesn't fit is the largest.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
