use crate::{kinds::Deployment, names};
use deploy_core::{
    model::{Payload, ReleaseId},
    target::TargetError,
};
use kube::ResourceExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a release's payload says: enough to bring the release into its Deployment, or to make that anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The pod template as the server has it.
    pub(crate) template: Value,
    /// The Deployment for where there is none, its template left out.
    pub(crate) manifest: Value,
    /// What `kubectl apply` is to compare with once the release runs; none where nobody applied it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_applied: Option<String>,
    /// ConfigMaps and Secrets that are this release's alone, whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) copies: Vec<Value>,
    /// The Secrets that stand beside it, by what stands for them in plans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) secrets: BTreeMap<String, Value>,
}

impl Content {
    /// What runs in a Deployment.
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let annotations = deployment.annotations();
        let kept = |name: &&String| {
            *name != names::FENCE && *name != names::LAST_APPLIED && !name.starts_with("deployment.kubernetes.io/")
        };
        let kept: serde_json::Map<_, _> = annotations
            .iter()
            .filter(|(name, _)| kept(name))
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let mut spec = deployment.spec.clone();
        if let Some(spec) = spec.as_object_mut() {
            spec.shift_remove("template");
        }
        let metadata = json!({ "name": deployment.name_any(), "labels": deployment.labels(), "annotations": kept });
        Self {
            template: deployment.template().clone(),
            manifest: json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec }),
            last_applied: annotations.get(names::LAST_APPLIED).cloned(),
            copies: Vec::new(),
            secrets: BTreeMap::new(),
        }
    }

    pub(crate) fn read(release: &ReleaseId, payload: &Payload) -> Result<Self, TargetError> {
        // what it says of where it went wrong might quote a secret
        serde_json::from_str(payload.expose()).map_err(|_| TargetError::Rejected {
            why: format!("expected the configuration of {release} as this version writes it, but found something else; deploy it again from its files"),
        })
    }

    pub(crate) fn payload(&self) -> Payload {
        // nothing of it can't be written as JSON
        Payload::new(serde_json::to_string(self).unwrap_or_default())
    }

    /// A whole Deployment of it.
    pub(crate) fn deployment(&self) -> Result<Deployment, TargetError> {
        let mut manifest = self.manifest.clone();
        manifest["spec"]["template"] = self.template.clone();
        if let Some(text) = &self.last_applied {
            manifest["metadata"]["annotations"][names::LAST_APPLIED] = json!(text);
        }
        serde_json::from_value(manifest).map_err(|_| TargetError::Rejected {
            why: "expected a Deployment's configuration, but found something else".into(),
        })
    }
}
