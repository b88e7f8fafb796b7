use super::TargetId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// What a workload stands on and that is no workload itself: a network, a volume, a proxy; a ConfigMap, an Ingress.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Where it is.
    pub target: TargetId,
    /// What it is, in the backend's word: `network`, `volume`, `proxy`.
    pub kind: String,
    /// Its name among those of its kind.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// An object with what is asked of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Which one.
    pub object: ObjectRef,
    /// Its definition, in the backend's terms. Never a secret.
    pub spec: Value,
}
