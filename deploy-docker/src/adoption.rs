//! What plain Compose runs of a service that is deployed for the first time: taken over, or left as it is.

use crate::{
    container::Container,
    image::ImageFacts,
    labels::{self, compose},
    treatment::Treatment,
};
use bollard::models::ContainerSummaryStateEnum as State;
use deploy_compose::model::{Project, Service};
use deploy_core::model::{Order, Release, ServiceName};
use std::collections::BTreeMap;

/// A service's containers that Compose made.
pub(crate) struct RunByCompose<'a> {
    all: &'a [Container],
    containers: Vec<&'a Container>,
    /// Whether something of ours is there of the service.
    is_ours_too: bool,
}

impl<'a> RunByCompose<'a> {
    pub(crate) fn of(all: &'a [Container], service: &Service) -> Self {
        let (containers, ours): (Vec<_>, Vec<_>) =
            all.iter().filter(|one| is_of(one, service.name.as_str())).partition(|one| one.is_by_compose());
        Self { all, containers, is_ours_too: !ours.is_empty() }
    }

    /// The release that they run, where Compose would leave them alone too: as many as asked for, all of them running,
    /// made from this configuration and image.
    pub(crate) fn unchanged(&self, project: &Project, service: &Service, image: &ImageFacts) -> Option<Release> {
        let first_of = |name: &str| {
            let of_name = self.all.iter().filter(|one| one.is_by_compose() && is_of(one, name));
            of_name.min_by_key(|one| one.ordinal()).map(|one| one.id.clone())
        };
        let hash = project.compose_config(service.name.as_str())?.hash_with(first_of);
        let is_as_wanted = |one: &&&Container| {
            one.state == State::RUNNING && one.image == image.id && one.labels.get(compose::HASH) == Some(&hash)
        };
        let as_wanted = self.containers.iter().filter(is_as_wanted).count();
        let is_unchanged = as_wanted == self.containers.len() && as_wanted == service.replicas as usize;
        self.containers.first().filter(|_| is_unchanged && !self.is_ours_too)?.release()
    }

    /// What becomes of those that run: a sentence for people.
    pub(crate) fn note(&self, treatment: &Treatment) -> Option<String> {
        self.containers.iter().find(|one| one.is_up())?;
        let moves = match (treatment.is_routed(), treatment.order) {
            (true, Order::StartFirst) => {
                ": when the new containers are healthy its own stop, and its ports and name move to the proxy, which takes about a second"
            }
            (true, Order::StopFirst) => ", and its ports and name move to the proxy",
            (false, _) => "",
        };
        Some(format!("`docker compose` runs it so far, and it is taken over{moves}."))
    }
}

/// Services that run and that the file doesn't have, as a sentence each. They may have been taken out or called otherwise;
/// Compose leaves them running, too.
pub(crate) fn orphans(all: &[Container], project: &Project) -> Vec<String> {
    let is_known = |name: &str| project.services.contains_key(name) || project.inactive.contains(name);
    let mut orphans: BTreeMap<ServiceName, Vec<&str>> = BTreeMap::new();
    for one in all.iter().filter(|one| [labels::INSTANCE, labels::PROXY].contains(&one.kind()) && one.is_up()) {
        if let Some(name) = one.service().filter(|name| !is_known(name.as_str())) {
            orphans.entry(name).or_default().push(&one.name);
        }
    }
    let sentence = |(service, mut names): (ServiceName, Vec<&str>)| {
        names.sort_unstable();
        let names = names.join(" ");
        format!(
            "{service} isn't in the file and goes on running: if it was taken out, end it with `docker rm -f {names}`."
        )
    };
    orphans.into_iter().map(sentence).collect()
}

fn is_of(one: &Container, service: &str) -> bool {
    one.service().is_some_and(|name| name.as_str() == service)
}
