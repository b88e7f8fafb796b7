//! A Deployment without what a release brings: its labels, strategy and deadlines, which change without a new pod.

use serde_json::{Map, Value, json};

/// What of a Deployment's spec is no setting: what runs, how many of it, and what can't be changed.
const OTHERS: [&str; 3] = ["template", "replicas", "selector"];

/// Whether a manifest is a Deployment's.
pub(crate) fn is_deployment(manifest: &Value) -> bool {
    manifest["apiVersion"] == "apps/v1" && manifest["kind"] == "Deployment"
}

/// The settings in a Deployment's manifest.
pub(crate) fn settings(manifest: &Value) -> Value {
    let mut settings = manifest.clone();
    if let Some(spec) = settings["spec"].as_object_mut() {
        OTHERS.iter().for_each(|name| drop(spec.shift_remove(*name)));
    }
    settings
}

/// A Deployment's manifest with other settings.
pub(super) fn with_settings(manifest: &Value, settings: &Value) -> Value {
    let kept = OTHERS.iter().filter(|name| !manifest["spec"][**name].is_null());
    let kept: Map<_, _> = kept.map(|name| ((*name).to_owned(), manifest["spec"][*name].clone())).collect();
    let mut whole = settings.clone();
    if !whole["spec"].is_object() {
        whole["spec"] = json!({});
    }
    if let Some(spec) = whole["spec"].as_object_mut() {
        spec.extend(kept);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_exchanged_and_what_runs_stays() {
        let manifest =
            json!({ "kind": "Deployment", "spec": { "replicas": 3, "template": { "a": 1 }, "minReadySeconds": 5 } });
        let other =
            json!({ "kind": "Deployment", "metadata": { "labels": { "a": "b" } }, "spec": { "paused": false } });
        assert_eq!(settings(&manifest), json!({ "kind": "Deployment", "spec": { "minReadySeconds": 5 } }));
        let both = with_settings(&manifest, &other);
        assert_eq!(settings(&both), other);
        assert_eq!(both["spec"]["template"], json!({ "a": 1 }));
        assert_eq!(both["spec"]["replicas"], 3);
    }
}
