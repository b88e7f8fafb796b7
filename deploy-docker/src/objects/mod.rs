//! What instances stand on: networks, volumes and proxies.
//!
//! Each carries its definition in a label, so that what is there can be compared with what is asked for.

mod network;
mod ports;
mod proxy;
mod volume;

pub(crate) use network::{NetworkSpec, network_object};
pub(crate) use proxy::{ProxySpec, proxy_object};
pub(crate) use volume::{VolumeSpec, volume_object};

use crate::{
    handle::Handle,
    labels::{self, compose},
    shared::Shared,
};
use deploy_core::{
    model::{Object, ObjectRef},
    target::{Cx, TargetError},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// The kind of networks.
pub(crate) const NETWORK: &str = "network";
/// The kind of volumes.
pub(crate) const VOLUME: &str = "volume";
/// The kind of proxies.
pub(crate) const PROXY: &str = "proxy";

impl Handle {
    /// Makes an object be there as described.
    pub(crate) async fn apply_object(&self, cx: &Cx, object: &Object) -> Result<(), TargetError> {
        match object.object.kind.as_str() {
            NETWORK => self.apply_network(cx, &object.object.name, &read(object)?, &object.spec).await,
            VOLUME => self.apply_volume(cx, &object.object.name, &read(object)?, &object.spec).await,
            PROXY => self.apply_proxy(cx, &read(object)?, &object.spec).await,
            kind => Err(unknown(kind)),
        }
    }

    /// Takes an object away; it may be gone already. A volume stays: what was written there may be wanted.
    pub(crate) async fn delete_object(&self, cx: &Cx, object: &ObjectRef) -> Result<(), TargetError> {
        match object.kind.as_str() {
            NETWORK => {
                let all = self.listed(cx.fence).await?;
                self.leave_network(&all, &object.name).await?;
                self.delete_network(&object.name).await
            }
            VOLUME => Ok(()),
            PROXY => self.delete_proxy(cx, &object.name).await,
            kind => Err(unknown(kind)),
        }
    }
}

impl Shared {
    fn object(&self, kind: &str, name: &str, spec: Value) -> Object {
        let object = ObjectRef { target: self.target.clone(), kind: kind.to_owned(), name: name.to_owned() };
        Object { object, spec }
    }

    /// The labels of a network or volume: the user's, Compose's and ours.
    fn object_labels(&self, cx: &Cx, user: &BTreeMap<String, String>, spec: &Value) -> HashMap<String, String> {
        let mut labels: HashMap<_, _> = user.clone().into_iter().collect();
        labels.extend(self.labels_of(cx, labels::OBJECT));
        labels.insert(compose::PROJECT.to_owned(), self.project.clone());
        labels.insert(labels::SPEC.to_owned(), spec.to_string());
        labels
    }
}

fn read<T: DeserializeOwned>(object: &Object) -> Result<T, TargetError> {
    serde_json::from_value(object.spec.clone()).map_err(|error| TargetError::Rejected {
        why: format!(
            "expected a definition of {} that this version knows, but: {error}; use a newer deploy",
            object.object
        ),
    })
}

fn unknown(kind: &str) -> TargetError {
    TargetError::Rejected {
        why: format!("expected a network, a volume or a proxy, but found a {kind}; use a newer deploy"),
    }
}

/// A definition as an object carries it.
pub(crate) fn spec(definition: &impl Serialize) -> Value {
    serde_json::to_value(definition).unwrap_or_default()
}

/// The definition that something was made with, as its label tells.
pub(crate) fn spec_label(labels: &HashMap<String, String>) -> Option<Value> {
    serde_json::from_str(labels.get(labels::SPEC)?).ok()
}
