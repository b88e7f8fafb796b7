//! What a service waits for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ServiceName;
use crate::read::At;

/// How far another service must be before this one is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// What must be true of the other service.
    pub condition: Condition,
    /// Whether Compose restarts this service when it restarts or replaces the other one.
    pub restart: bool,
    /// Whether it is an error when the other service isn't there.
    pub required: bool,
}

/// What must be true of another service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It was started.
    Started,
    /// Its health check succeeded.
    Healthy,
}

impl Dependency {
    /// A service that must have been started; what `network_mode: service:…` implies has `restart` set.
    pub(crate) fn started(restart: bool) -> Self {
        Self { condition: Condition::Started, restart, required: true }
    }

    fn read(at: &At<'_>) -> Option<Self> {
        let mut fields = at.fields();
        let condition = fields.take("condition").and_then(|at| match at.text()?.as_str() {
            "service_started" => Some(Condition::Started),
            "service_healthy" => Some(Condition::Healthy),
            "service_completed_successfully" => {
                at.problem(
                    "expected service_started or service_healthy, but found service_completed_successfully, \
                     which is valid Compose but not supported yet",
                );
                None
            }
            _ => {
                at.expected("service_started or service_healthy");
                None
            }
        });
        let restart = fields.take("restart").is_some_and(|at| {
            let restart = at.flag().unwrap_or(false);
            if restart {
                at.ignore("a deployment replaces what has changed, and restarts nothing because of it");
            }
            restart
        });
        let required = fields.flag("required").unwrap_or(true);
        fields.finish();
        Some(Self { condition: condition?, restart, required })
    }

    /// A list of services or a map. What isn't required and isn't there (or isn't active) is left out.
    pub(crate) fn read_all(at: &At<'_>) -> BTreeMap<ServiceName, Self> {
        let mut dependencies = BTreeMap::new();
        if at.is_list() {
            for at in at.items() {
                if let Some(name) = at.text().and_then(|name| at.declared_service(at.place(), &name)) {
                    dependencies.insert(name, Self::started(false));
                }
            }
            return dependencies;
        }
        for (entry, at) in at.members() {
            let Some(dependency) = Self::read(&at) else { continue };
            if !dependency.required && !at.cx.declared.active.contains(&entry.key) {
                continue;
            }
            if let Some(name) = at.declared_service(&entry.key_place, &entry.key) {
                dependencies.insert(name, dependency);
            }
        }
        dependencies
    }
}
