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

    /// Whether any of a Deployment's fields is still as we set it. The user may have changed others meanwhile.
    pub(crate) fn is_on(&self, deployment: &Deployment) -> bool {
        let (now, own) = (&deployment.spec, &self.fields);
        let is_recreate = |strategy: &Value| strategy["type"] == "Recreate";
        now["minReadySeconds"] == i32::MAX - 1
            || now["progressDeadlineSeconds"] == i32::MAX
            || deployment.is_paused() && own["paused"] != true
            || is_recreate(&now["strategy"]) && !is_recreate(&own["strategy"])
    }

    /// Gives the user's own fields back to what a Deployment would be, but for those that are about to be changed anyway.
    pub(crate) fn undone(&self, there: &Deployment, mut would_be: Deployment) -> Deployment {
        for (name, value) in &self.fields {
            let is_kept = there.spec[name.as_str()] == would_be.spec[name.as_str()];
            if let (true, Some(spec)) = (is_kept, would_be.spec.as_object_mut()) {
                match value {
                    Value::Null => spec.shift_remove(name),
                    value => spec.insert(name.clone(), value.clone()),
                };
            }
        }
        would_be
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(spec: Value) -> Deployment {
        Deployment { spec, ..Deployment::default() }
    }

    /// What a patch makes of a Deployment.
    fn patched(there: &Deployment, patch: JsonPatch) -> Deployment {
        let mut value = serde_json::to_value(there).unwrap();
        let patch: json_patch::Patch = serde_json::from_value(patch.into_value()).unwrap();
        json_patch::patch(&mut value, &patch).unwrap();
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_was_held_is_the_users_own_again() {
        for own in [json!({}), json!({ "strategy": { "type": "RollingUpdate" }, "minReadySeconds": 5 })] {
            let own = deployment(own);
            let hold = Hold::of(&own, "abc", &"web-2".into());
            assert!(!hold.is_on(&own));
            let held = patched(&own, Hold::begin(JsonPatch::new()));
            assert!(hold.is_on(&held));
            assert_eq!(hold.undone(&held, held.clone()).spec, own.spec);
            assert_eq!(patched(&held, hold.end(&held, JsonPatch::new())).spec, own.spec);
        }
    }

    #[test]
    fn a_field_that_the_user_gives_back_doesnt_end_a_hold() {
        let own = deployment(json!({ "minReadySeconds": 5, "progressDeadlineSeconds": 60 }));
        let hold = Hold::of(&own, "abc", &"web-2".into());
        let mut held = patched(&own, Hold::begin(JsonPatch::new()));
        held.spec["minReadySeconds"] = json!(5);
        assert!(hold.is_on(&held));
        held.spec["progressDeadlineSeconds"] = json!(60);
        assert!(!hold.is_on(&held));
        held.spec["paused"] = json!(true);
        assert!(hold.is_on(&held));
    }

    #[test]
    fn what_the_user_is_about_to_change_stays_changed() {
        let own = deployment(json!({ "progressDeadlineSeconds": 60 }));
        let hold = Hold::of(&own, "abc", &"web-2".into());
        let held = patched(&own, Hold::begin(JsonPatch::new()));
        let mut would_be = held.clone();
        would_be.spec["minReadySeconds"] = json!(7);
        let undone = hold.undone(&held, would_be);
        assert_eq!(undone.spec, json!({ "progressDeadlineSeconds": 60, "minReadySeconds": 7 }));
    }
}
