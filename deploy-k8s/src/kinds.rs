//! Deployments and ReplicaSets as the server has them: what this version doesn't know of them isn't lost on the way back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{NamespaceResourceScope, Resource, TypeMeta};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

macro_rules! kind {
    ($($(#[$doc:meta])* $name:ident, $plural:literal)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        pub(crate) struct $name {
            #[serde(flatten)]
            pub(crate) types: Option<TypeMeta>,
            pub(crate) metadata: ObjectMeta,
            pub(crate) spec: Value,
            #[serde(default, skip_serializing_if = "Value::is_null")]
            pub(crate) status: Value,
        }

        impl Resource for $name {
            type DynamicType = ();
            type Scope = NamespaceResourceScope;

            fn kind(_: &()) -> Cow<'_, str> {
                stringify!($name).into()
            }

            fn group(_: &()) -> Cow<'_, str> {
                "apps".into()
            }

            fn version(_: &()) -> Cow<'_, str> {
                "v1".into()
            }

            fn plural(_: &()) -> Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    )*};
}

kind! {
    /// A Deployment.
    Deployment, "deployments"
    /// A ReplicaSet.
    ReplicaSet, "replicasets"
}

impl Deployment {
    /// How many pods it asks for; one where it doesn't say.
    pub(crate) fn replicas(&self) -> u32 {
        count(&self.spec, "replicas").unwrap_or(1)
    }

    pub(crate) fn template(&self) -> &Value {
        &self.spec["template"]
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.spec["paused"] == true
    }

    /// Whether all of its old pods end before a new one starts.
    pub(crate) fn is_recreate(&self) -> bool {
        self.spec["strategy"]["type"] == "Recreate"
    }

    /// The volumes that outlive its pods and that all of them may write to.
    pub(crate) fn writes_to(&self) -> impl Iterator<Item = &str> {
        let volumes = self.template()["spec"]["volumes"].as_array().into_iter().flatten();
        let outlives = |volume: &&Value| {
            let claim = &volume["persistentVolumeClaim"];
            claim.is_object() && claim["readOnly"] != true || volume["hostPath"].is_object()
        };
        volumes.filter(outlives).filter_map(|volume| volume["name"].as_str())
    }

    /// What its pods and ReplicaSets are selected by, as a label selector.
    pub(crate) fn selector(&self) -> String {
        selector(&self.spec["selector"])
    }
}

impl ReplicaSet {
    /// How many of its pods aren't on their way out.
    pub(crate) fn replicas(&self) -> u32 {
        count(&self.status, "replicas").unwrap_or(0)
    }

    /// How many pods it is to have.
    pub(crate) fn wanted(&self) -> u32 {
        count(&self.spec, "replicas").unwrap_or(1)
    }

    /// The template as its Deployment had it.
    pub(crate) fn template(&self) -> Value {
        let mut template = self.spec["template"].clone();
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.shift_remove(crate::names::HASH);
        }
        template
    }

    /// What tells its pods from those of its Deployment's other sets.
    pub(crate) fn hash(&self) -> Option<&str> {
        self.metadata.labels.as_ref()?.get(crate::names::HASH).map(String::as_str)
    }

    /// Its place in its Deployment's history.
    pub(crate) fn revision(&self) -> u64 {
        let annotations = self.metadata.annotations.as_ref();
        let revision = annotations.and_then(|all| all.get("deployment.kubernetes.io/revision"));
        revision.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn is_owned_by(&self, deployment: &Deployment) -> bool {
        let mut owners = self.metadata.owner_references.iter().flatten();
        owners.any(|owner| Some(&owner.uid) == deployment.metadata.uid.as_ref())
    }
}

fn count(value: &Value, field: &str) -> Option<u32> {
    value[field].as_u64().and_then(|count| u32::try_from(count).ok())
}

/// A label selector in the form that a request takes.
pub(crate) fn selector(selector: &Value) -> String {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut parts: Vec<_> =
        labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let values = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let values = values.collect::<Vec<_>>().join(",");
        parts.push(match expression["operator"].as_str() {
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("Exists") => key.to_owned(),
            Some("DoesNotExist") => format!("!{key}"),
            _ => format!("{key} in ({values})"),
        });
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_selector_is_written_as_a_request_takes_it() {
        let spec = json!({
            "matchLabels": { "app": "web" },
            "matchExpressions": [
                { "key": "tier", "operator": "In", "values": ["a", "b"] },
                { "key": "old", "operator": "DoesNotExist" },
            ],
        });
        assert_eq!(selector(&spec), "app=web,tier in (a,b),!old");
    }

    #[test]
    fn a_set_tells_its_deployments_template() {
        let set: ReplicaSet = serde_json::from_value(json!({
            "metadata": { "labels": { "app": "web", "pod-template-hash": "abc" } },
            "spec": { "template": { "metadata": { "labels": { "app": "web", "pod-template-hash": "abc" } }, "new": 1 } },
        }))
        .unwrap();
        assert_eq!(set.template(), json!({ "metadata": { "labels": { "app": "web" } }, "new": 1 }));
        assert_eq!(set.hash(), Some("abc"));
    }
}
