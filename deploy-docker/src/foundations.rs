//! The networks and volumes of a project's names that are there before it is planned: whose they are, and what becomes of
//! them. As `docker compose up` v2.26.1 does, and before anything is done.

use crate::{
    element::Element,
    handle::Handle,
    labels::{self, compose},
    objects::{NETWORK, VOLUME, spec, spec_label},
    prepare::PrepareError,
    service::{network_spec, volume_spec, volumes},
    shared::{Tried, ingress_network},
};
use bollard::query_parameters::ListVolumesOptions;
use deploy_compose::model::{Key, Project};
use deploy_core::target::TargetError;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What was found.
pub(crate) struct Foundations {
    pub(crate) foreign: Foreign,
    /// What people should know of it.
    pub(crate) notes: Vec<String>,
}

/// Networks and volumes that are there and that we didn't make, by their names: Compose did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Foreign {
    pub(crate) networks: BTreeSet<String>,
    pub(crate) volumes: BTreeSet<String>,
}

/// The labels of what is there, by name.
type There = BTreeMap<String, HashMap<String, String>>;

impl Handle {
    /// Checks that what the project doesn't make is there, and that what is there may be used.
    pub(crate) async fn foundations(&self, project: &Project) -> Result<Foundations, PrepareError> {
        let docker = self.docker();
        let volumes = docker.list_volumes(None::<ListVolumesOptions>);
        let (networks, volumes) =
            tokio::try_join!(docker.list_networks(None), volumes).tried(|| "list networks and volumes".to_owned())?;
        let networks: There =
            networks.into_iter().filter_map(|one| Some((one.name?, one.labels.unwrap_or_default()))).collect();
        let volumes: There =
            volumes.volumes.unwrap_or_default().into_iter().map(|one| (one.name, one.labels)).collect();
        let mut externals = project.networks.iter().filter(|(_, network)| network.external);
        if let Some((key, network)) = externals.find(|(_, network)| !networks.contains_key(&network.name)) {
            return Err(missing(project, NETWORK, key, &network.name));
        }
        let mut externals = project.volumes.iter().filter(|(_, volume)| volume.external);
        if let Some((key, volume)) = externals.find(|(_, volume)| !volumes.contains_key(&volume.name)) {
            return Err(missing(project, VOLUME, key, &volume.name));
        }
        let notes = of_networks(project, &networks)?.into_iter().chain(of_volumes(project, &volumes)).collect();
        let foreign = |there: There| {
            let foreign = there.into_iter().filter(|(_, labels)| !is_ours(project, labels));
            foreign.map(|(name, _)| name).collect()
        };
        let foreign = Foreign { networks: foreign(networks), volumes: foreign(volumes) };
        Ok(Foundations { foreign, notes })
    }
}

fn is_ours(project: &Project, labels: &HashMap<String, String>) -> bool {
    labels.get(labels::PROJECT) == Some(&project.name)
}

fn missing(project: &Project, kind: &'static str, key: &Key, name: &str) -> PrepareError {
    let at = Element::of(project, format!("{kind}s.{key}")).into();
    PrepareError::NoExternal { at, kind, name: name.to_owned() }
}

/// The networks that services join and that are there: one that Compose would refuse is refused.
fn of_networks(project: &Project, there: &There) -> Result<Vec<String>, PrepareError> {
    let publishes = project.services.values().any(|service| !service.ports.is_empty());
    let ingress = ingress_network(&project.name);
    if publishes && there.get(&ingress).is_some_and(|labels| !is_ours(project, labels)) {
        let found = "one that somebody else made; remove it".to_owned();
        return Err(TargetError::Conflict { expected: format!("no network {ingress}"), found }.into());
    }
    let joined: BTreeSet<&Key> = project.services.values().flat_map(|service| service.networks.keys()).collect();
    let mut notes = Vec::new();
    for key in joined {
        let Some(network) = project.networks.get(key).filter(|network| !network.external) else { continue };
        let Some(labels) = there.get(&network.name) else { continue };
        let at = Element::of(project, format!("networks.{key}"));
        let wanted = spec(&network_spec(key.as_str(), network));
        if !is_ours(project, labels) && labels.get(compose::NETWORK).is_none_or(|made_as| made_as != key.as_str()) {
            return Err(PrepareError::OthersNetwork { at: at.into(), name: network.name.clone() });
        }
        notes.extend(note(project, &at, NETWORK, &network.name, labels, &wanted));
    }
    Ok(notes)
}

/// The named volumes that services mount and that are there: they are used, whoever made them.
fn of_volumes(project: &Project, there: &There) -> Vec<String> {
    let mounted: BTreeMap<_, _> = project.services.values().flat_map(|service| volumes(project, service)).collect();
    let notes = mounted.into_iter().filter_map(|(key, volume)| {
        let at = Element::of(project, format!("volumes.{key}"));
        let wanted = spec(&volume_spec(key.as_str(), volume));
        note(project, &at, VOLUME, &volume.name, there.get(&volume.name)?, &wanted)
    });
    notes.collect()
}

/// What people should know of a network or volume that is used as it is.
fn note(
    project: &Project,
    at: &Element,
    kind: &str,
    name: &str,
    labels: &HashMap<String, String>,
    wanted: &Value,
) -> Option<String> {
    if is_ours(project, labels) {
        let change = match kind {
            NETWORK => "for the change, take the project away first (`deploy down`), or give it another `name`",
            _ => "for the change, give it another `name`; what is in it isn't moved",
        };
        let made = spec_label(labels).filter(|made| made != wanted);
        return made.map(|_| {
            format!("Without effect: {at}: the {kind} {name} stays as it was made before, as with Compose: {change}.")
        });
    }
    let whose = match labels.get(compose::PROJECT) {
        Some(other) if *other == project.name => return None,
        Some(other) => format!("was made for the project {other}"),
        None => "was made by somebody else".to_owned(),
    };
    Some(format!("{at}: the {kind} {name} {whose} and is used as it is: declare it `external: true` if that is meant."))
}
