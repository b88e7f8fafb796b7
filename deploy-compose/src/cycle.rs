//! Services that wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{Service, ServiceName},
    places::Places,
    problem::Findings,
};

/// Reports the first circle of dependencies.
pub(crate) fn check(services: &BTreeMap<ServiceName, Service>, places: &Places, findings: &mut Findings) {
    let mut done = BTreeSet::new();
    for name in services.keys() {
        if let Some(circle) = find(name, services, &mut Vec::new(), &mut done) {
            let names: Vec<&str> = circle.iter().map(|name| name.as_str()).collect();
            let path = format!("services.{}.depends_on", names[0]);
            let message = format!("expected an order of dependencies, but found a circle: {}", names.join(" → "));
            if let Some(place) = places.get(&path) {
                findings.problem(place, path, message);
            }
            return;
        }
    }
}

fn find<'s>(
    name: &'s ServiceName,
    services: &'s BTreeMap<ServiceName, Service>,
    path: &mut Vec<&'s ServiceName>,
    done: &mut BTreeSet<&'s ServiceName>,
) -> Option<Vec<&'s ServiceName>> {
    if let Some(start) = path.iter().position(|earlier| *earlier == name) {
        let mut circle = path[start..].to_vec();
        circle.push(name);
        return Some(circle);
    }
    if !done.insert(name) {
        return None;
    }
    path.push(name);
    let dependencies = services.get(name).into_iter().flat_map(|service| service.depends_on.keys());
    for dependency in dependencies {
        if let Some(circle) = find(dependency, services, path, done) {
            return Some(circle);
        }
    }
    path.pop();
    None
}
