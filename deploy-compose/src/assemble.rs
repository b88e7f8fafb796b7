//! The last step of loading: a checked tree becomes a project.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use crate::{
    ComposeConfig, LoadError,
    config_hash::compose_config,
    cycle,
    declared::{Declared, Kind},
    environment::Environment,
    health,
    model::{FileObject, Key, MountKind, Network, Project, Service, ServiceName, Volume},
    node::{Entry, Node},
    places::Places,
    problem::Findings,
    read::{At, Context, Fields},
};

/// What a project has beside its tree.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) profiles: Vec<String>,
    pub(crate) environment: Environment,
}

/// Reads the typed model. Every reference is checked where it stands.
pub(crate) fn assemble(sources: Sources, root: &Node, mut findings: Findings) -> Result<Project, LoadError> {
    let declared = Declared::read(root, &sources.profiles);
    let cx = context(&sources, &declared, &mut findings);
    let mut fields = At { node: root, key_place: &root.place, path: String::new(), cx: &cx }.fields();
    let services = services(&mut fields, &declared);
    let used = Used::by(services.values());
    let mut networks = section(&mut fields, Kind::Network, &used.networks, |at, key| Some(Network::read(at, key)));
    if used.networks.contains("default") {
        networks.entry(Key::new("default")).or_insert_with(|| Network::unnamed(&sources.name));
    }
    let volumes = section(&mut fields, Kind::Volume, &used.volumes, |at, key| Some(Volume::read(at, key)));
    let secrets = section(&mut fields, Kind::Secret, &used.secrets, |at, key| FileObject::read(at, key, Kind::Secret));
    let configs = section(&mut fields, Kind::Config, &used.configs, |at, key| FileObject::read(at, key, Kind::Config));
    fields.take("name");
    fields.ignore("version", "Compose has no versions of its format any more");
    fields.finish();
    let places = Places::of(root);
    cycle::check(&services, &places, &mut findings);
    health::check(&services, &places, &mut findings);
    findings.check()?;
    let compose_configs = compose_configs(&sources, &declared, root, &services);
    findings.ignored.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(Project {
        name: sources.name,
        directory: sources.directory,
        files: sources.files,
        profiles: sources.profiles,
        services,
        inactive: declared.inactive.iter().map(|name| name.as_str().into()).collect(),
        networks,
        volumes,
        secrets,
        configs,
        warnings: findings.warnings,
        ignored: findings.ignored,
        environment: sources.environment,
        places,
        compose_configs,
    })
}

/// The services as Compose hashes them, as far as that is known.
fn compose_configs(
    sources: &Sources,
    declared: &Declared,
    root: &Node,
    services: &BTreeMap<ServiceName, Service>,
) -> BTreeMap<ServiceName, ComposeConfig> {
    // everything was found already
    let mut found_again = Findings::default();
    let cx = context(sources, declared, &mut found_again);
    let members = At { node: root, key_place: &root.place, path: String::new(), cx: &cx }.fields().take("services");
    let members = members.map(|at| at.members()).unwrap_or_default();
    let config = |(entry, at): &(&Entry, At<'_>)| {
        let (name, service) = services.get_key_value(entry.key.as_str())?;
        Some((name.clone(), compose_config(at, service)?))
    };
    members.iter().filter_map(config).collect()
}

fn context<'a>(sources: &'a Sources, declared: &'a Declared, findings: &'a mut Findings) -> Context<'a> {
    Context {
        findings: RefCell::new(findings),
        environment: &sources.environment,
        directory: &sources.directory,
        project: &sources.name,
        declared,
    }
}

fn services(fields: &mut Fields<'_>, declared: &Declared) -> BTreeMap<ServiceName, Service> {
    let members = fields.take("services").map(|at| at.members()).unwrap_or_default();
    let active = members.iter().filter(|(entry, _)| declared.active.contains(&entry.key));
    active.map(|(entry, at)| (entry.key.as_str().into(), Service::read(&entry.key, at))).collect()
}

/// The members of a section that services use.
fn section<T>(
    fields: &mut Fields<'_>,
    kind: Kind,
    used: &BTreeSet<String>,
    read: impl Fn(&At<'_>, &Key) -> Option<T>,
) -> BTreeMap<Key, T> {
    let members = fields.take(kind.section()).map(|at| at.members()).unwrap_or_default();
    let used = members.iter().filter(|(entry, _)| used.contains(&entry.key));
    used.filter_map(|(entry, at)| {
        let key = Key::new(entry.key.as_str());
        let value = read(at, &key)?;
        Some((key, value))
    })
    .collect()
}

/// The keys that services refer to.
#[derive(Default)]
struct Used {
    networks: BTreeSet<String>,
    volumes: BTreeSet<String>,
    secrets: BTreeSet<String>,
    configs: BTreeSet<String>,
}

impl Used {
    fn by<'s>(services: impl Iterator<Item = &'s Service>) -> Self {
        let mut used = Self::default();
        for service in services {
            used.networks.extend(service.networks.keys().map(Key::to_string));
            used.secrets.extend(service.secrets.iter().map(|grant| grant.source.to_string()));
            used.configs.extend(service.configs.iter().map(|grant| grant.source.to_string()));
            used.volumes.extend(service.volumes.iter().filter_map(|mount| match &mount.kind {
                MountKind::Volume { source: Some(key), .. } => Some(key.to_string()),
                _ => None,
            }));
        }
        used
    }
}
