//! What plain Compose runs of a project that is deployed for the first time.

use crate::{container::Container, treatment::Treatment};
use deploy_compose::model::Service;
use deploy_core::model::Order;

/// What becomes of a service's containers that Compose runs: a sentence for people.
pub(crate) fn note(all: &[Container], service: &Service, treatment: &Treatment) -> Option<String> {
    let is_its = |one: &Container| one.service().is_some_and(|name| name.as_str() == service.name.as_str());
    if !all.iter().any(|one| one.is_by_compose() && one.is_up() && is_its(one)) {
        return None;
    }
    let moves = match (treatment.is_routed(), treatment.order) {
        (true, Order::StartFirst) => {
            ": when the new containers are healthy its own stop, and its ports and name move to the proxy, which takes about a second"
        }
        (true, Order::StopFirst) => ", and its ports and name move to the proxy",
        (false, _) => "",
    };
    Some(format!("`docker compose` runs it so far, and it is taken over{moves}."))
}
