//! Services that wait for a health that nobody checks.

use std::collections::BTreeMap;

use crate::{
    model::{Condition, Service, ServiceName},
    places::Places,
    problem::Findings,
};

/// Reports dependencies on the health of services whose health check is switched off.
pub(crate) fn check(services: &BTreeMap<ServiceName, Service>, places: &Places, findings: &mut Findings) {
    for service in services.values() {
        let waits = service.depends_on.iter().filter(|(_, dependency)| dependency.condition == Condition::Healthy);
        for (name, _) in waits {
            let check = services.get(name).and_then(|other| other.healthcheck.as_ref());
            let path = format!("services.{}.depends_on.{name}", service.name);
            if check.is_some_and(|check| check.is_disabled())
                && let Some(place) = places.get(&path)
            {
                let message = format!(
                    "expected service_started, or a health check in `{name}`, but found service_healthy and a health \
                     check that is switched off"
                );
                findings.problem(place, path, message);
            }
        }
    }
}
