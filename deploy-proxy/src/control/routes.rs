//! Routes as they travel and as they are stored.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use deploy_core::model::{DeploymentId, Fence, ReleaseId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Address;

/// The name of one instance, unique among the backends of a service: a container's name, a child process's label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceName(pub String);

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for InstanceName {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// One instance that requests may be sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Which instance this is. The Engine reuses addresses at once, so the name says which container is meant.
    pub instance: InstanceName,
    /// The release that it runs. Instances of one release share the requests evenly where their weights are equal.
    pub release: ReleaseId,
    /// Its host: see [`Address`].
    pub host: String,
    /// Ports that differ from the listener's backend port: from the service's port to this instance's own.
    /// Empty for containers; a child process has a port of its own for each of its service's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<u16, u16>,
    /// Its share: requests go to it in the proportion of this number to the sum of all. 0: no new requests, but
    /// still a backend.
    pub weight: u32,
}

impl Backend {
    /// Where this instance answers for the service's `port`.
    #[must_use]
    pub fn address(&self, port: u16) -> Address {
        Address::new(&self.host, self.port(port))
    }

    /// The instance's own port for the service's `port`.
    pub fn port(&self, port: u16) -> u16 {
        self.ports.get(&port).copied().unwrap_or(port)
    }
}

/// Where the requests of one service go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// All backends. None: requests are answered with 503.
    pub backends: Vec<Backend>,
    /// What the routes were made from, in the asker's own terms: kept and given back with them, never looked at.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub asked: serde_json::Value,
}

/// Why routes were refused.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BadRoutes {
    /// Two backends carry one name.
    #[error("expected each instance once, but found {0} twice; give every backend its own instance name")]
    Twice(InstanceName),
    /// A backend has an empty name.
    #[error("expected an instance name, but found an empty one at {0}; name the instance that listens there")]
    Unnamed(String),
}

impl Routes {
    /// Whether these routes can be served.
    ///
    /// # Errors
    ///
    /// [`BadRoutes`] for the first backend without a name or with one that another backend has.
    pub fn validate(&self) -> Result<(), BadRoutes> {
        let mut seen = BTreeSet::new();
        for backend in &self.backends {
            if backend.instance.0.is_empty() {
                return Err(BadRoutes::Unnamed(backend.host.clone()));
            }
            if !seen.insert(&backend.instance) {
                return Err(BadRoutes::Twice(backend.instance.clone()));
            }
        }
        Ok(())
    }
}

/// Routes with what guards them: the answer to every question about routes, and what is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteState {
    /// Grows by one with each change. A change names the revision that it was made from.
    pub revision: u64,
    /// The highest fence seen; whatever comes with a lower one is refused.
    pub fence: Fence,
    /// The deployment that made the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentId>,
    /// The routes themselves.
    pub routes: Routes,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(name: &str) -> Backend {
        Backend {
            instance: name.into(),
            release: "r1".into(),
            host: "127.0.0.1".into(),
            ports: BTreeMap::new(),
            weight: 1,
        }
    }

    #[test]
    fn names_are_unique_and_not_empty() {
        let routes = Routes { backends: vec![backend("a"), backend("b"), backend("a")], ..Routes::default() };
        assert_eq!(routes.validate(), Err(BadRoutes::Twice("a".into())));
        let routes = Routes { backends: vec![backend("")], ..Routes::default() };
        assert_eq!(routes.validate(), Err(BadRoutes::Unnamed("127.0.0.1".into())));
        assert_eq!(Routes { backends: vec![backend("a"), backend("b")], ..Routes::default() }.validate(), Ok(()));
    }

    #[test]
    fn a_port_of_its_own_replaces_the_service_port() {
        let mut backend = backend("a");
        backend.ports.insert(80, 41_234);
        assert_eq!(backend.address(80).port, 41_234);
        assert_eq!(backend.address(81).port, 81);
    }
}
