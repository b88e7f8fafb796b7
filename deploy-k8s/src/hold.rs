use crate::{
    kinds::Deployment,
    patch::{JsonPatch, path},
};
use deploy_core::model::ReleaseId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The fields by which a rolling update of Kubernetes is held when all new pods stand and no old one has gone.
const FIELDS: [&str; 4] = ["strategy", "minReadySeconds", "progressDeadlineSeconds", "paused"];

/// A release that is held beside the next one in the same Deployment: what is needed to end that, either way. It is written
/// down before anything is held, and struck out last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hold {
    /// What it is held beside.
    pub(crate) beside: ReleaseId,
    /// What tells its pods.
    pub(crate) hash: String,
    /// The user's own fields; null where there was none.
    fields: Map<String, Value>,
}

impl Hold {
    /// Of what runs in a Deployment that isn't held.
    pub(crate) fn of(deployment: &Deployment, hash: &str, beside: &ReleaseId) -> Self {
        let fields = FIELDS.map(|name| (name.to_owned(), deployment.spec[name].clone()));
        Self { beside: beside.clone(), hash: hash.to_owned(), fields: Map::from_iter(fields) }
    }

    /// The record as it is stored.
    pub(crate) fn text(&self) -> String {
        // nothing of it can't be written as JSON
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Adds what holds to a patch of a Deployment.
    pub(crate) fn begin(patch: JsonPatch) -> JsonPatch {
        // as many new pods as there are old ones; none of them is ever available, so no old one is in surplus
        patch
            .set(
                "/spec/strategy",
                json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "100%", "maxUnavailable": 0 } }),
            )
            .set("/spec/minReadySeconds", i32::MAX - 1)
            .set("/spec/progressDeadlineSeconds", i32::MAX)
            .set("/spec/paused", false)
    }

    /// Adds what gives the user's own fields back.
    pub(crate) fn end(&self, deployment: &Deployment, mut patch: JsonPatch) -> JsonPatch {
        for (name, value) in &self.fields {
            let (path, there) = (path(["spec", name]), &deployment.spec[name.as_str()]);
            patch = match (value, there) {
                (value, there) if value == there => patch,
                (Value::Null, _) => patch.remove(path),
                (value, _) => patch.set(path, value.clone()),
            };
        }
        patch
    }

    /// Whether a Deployment's fields are the user's own.
    pub(crate) fn is_over(&self, deployment: &Deployment) -> bool {
        self.fields.iter().all(|(name, value)| deployment.spec[name.as_str()] == *value)
    }
}
