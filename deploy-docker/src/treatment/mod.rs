//! How a service is treated, and why: whether a proxy stands before it, and which comes first, the new or the end of
//! the old.

mod data;
mod other_proxies;
mod routing;
mod waits;

use crate::{image::ImageFacts, paths::BoundPaths};
use data::data;
use deploy_compose::model::{self as compose, Project, Service};
use deploy_core::model::Order;
use deploy_proxy::control::ListenerSpec;
use routing::{Routing, routing};

/// How a service is treated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Treatment {
    /// The ports that its proxy listens on; none where no proxy stands before it.
    pub(crate) listeners: Vec<ListenerSpec>,
    /// Which comes first.
    pub(crate) order: Order,
    /// Paths whose anonymous volume goes on from one container to the next.
    pub(crate) carried: Vec<String>,
    /// Why: sentences for people.
    pub(crate) notes: Vec<String>,
}

impl Treatment {
    /// Of a service that Compose runs as it is wanted.
    pub(crate) fn left_to_compose() -> Self {
        let note = "`docker compose` runs it as the file has it, and it stays as it is.".to_owned();
        Self { listeners: Vec::new(), order: Order::StartFirst, carried: Vec::new(), notes: vec![note] }
    }

    /// Whether requests go through a proxy.
    pub(crate) fn is_routed(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// Whether its one container may bear the name that the file gives: not where two run side by side, and not where
    /// requests to that name must go to the proxy.
    pub(crate) fn may_bear_its_name(&self) -> bool {
        !self.is_routed() && self.order == Order::StopFirst
    }

    /// Whether a label belongs to the proxy instead of the service's own containers: other proxies read it, and would
    /// go around ours.
    pub(crate) fn is_moved_label(&self, name: &str) -> bool {
        self.is_routed() && other_proxies::is_label(name)
    }

    /// As for labels: whether a variable is read by other proxies.
    pub(crate) fn is_moved_variable(&self, name: &str) -> bool {
        self.is_routed() && other_proxies::is_variable(name)
    }
}

const BY_WISH: &str = "as `deploy.update_config.order` says";
/// Without the hash that Compose compares, its containers are out of date to it.
const UNKNOWN_TO_COMPOSE: &str = "`docker compose up` would replace its containers, because it isn't known how Compose \
                                  hashes all of its fields: leave it to `deploy up`.";

/// Decides how a service is treated.
pub(crate) fn treat(project: &Project, service: &Service, image: &ImageFacts, paths: &BoundPaths) -> Treatment {
    let mut notes = Vec::new();
    let data = data(service, image, paths);
    let wish = service.update_config.as_ref().and_then(|update| update.order);
    let (mut order, mut why) = match (wish, &data.writable[..]) {
        (Some(compose::Order::StartFirst), _) => (Order::StartFirst, BY_WISH.to_owned()),
        (Some(compose::Order::StopFirst), _) => (Order::StopFirst, BY_WISH.to_owned()),
        (None, []) => (Order::StartFirst, String::new()),
        (None, [one, more @ ..]) => {
            let more = if more.is_empty() { "" } else { " and more" };
            (Order::StopFirst, format!("because it writes to {one}{more}, and two writers could damage that"))
        }
    };
    let routing = routing(project, service, image, order);
    if let (Routing::Direct { exclusive, .. }, Order::StartFirst) = (&routing, order) {
        // whoever calls it may know its address, which the next one gets when it is free again; and what nobody calls may
        // be alone in doing what it does
        let as_with_compose = || (wish.is_none()).then(|| "as with Compose".to_owned());
        if let Some(reason) = exclusive.clone().or_else(as_with_compose) {
            (order, why) = (Order::StopFirst, reason);
        }
    }
    let listeners = match routing {
        Routing::Proxy { listeners, notes: said } => {
            notes.extend(said);
            listeners
        }
        Routing::Direct { why, .. } => {
            notes.push(why);
            Vec::new()
        }
    };
    let comma = if why.is_empty() { "" } else { ", " };
    notes.push(match order {
        Order::StartFirst => format!("A new version starts beside the old one{comma}{why}."),
        Order::StopFirst if !listeners.is_empty() => {
            format!(
                "The old version stops before a new one starts{comma}{why}; requests wait meanwhile, for 30 s at most."
            )
        }
        Order::StopFirst => format!("The old version stops before a new one starts{comma}{why}."),
    });
    for other in service.lives_in() {
        notes.push(format!("It lives in a container of {other}: it stops before that does, and starts in the next."));
    }
    notes.extend(data.notes);
    notes.extend(waits::note(project, service));
    let mut treatment = Treatment { listeners, order, carried: data.carried, notes };
    if project.compose_config(service.name.as_str()).is_none() {
        treatment.notes.push(UNKNOWN_TO_COMPOSE.to_owned());
    }
    let notes = notes_on_names(service, &treatment);
    treatment.notes.extend(notes);
    treatment
}

fn notes_on_names(service: &Service, treatment: &Treatment) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(name) = service.container_name.as_ref().filter(|_| !treatment.may_bear_its_name()) {
        notes.push(match treatment.is_routed() {
            true => format!("No container is called {name}: in its networks that name leads to the proxy."),
            false => format!("No container is called {name}, because two run side by side."),
        });
    }
    let moved: Vec<_> = service.labels.keys().filter(|name| treatment.is_moved_label(name)).collect();
    let variables = service.environment.keys().filter(|name| treatment.is_moved_variable(name));
    let first = moved.into_iter().chain(variables).next();
    notes.extend(
        first.map(|name| format!("`{name}` and the like are given to its proxy: other proxies send requests there.")),
    );
    notes
}

#[cfg(test)]
mod tests;
