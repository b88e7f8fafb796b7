//! ConfigMaps and Secrets that a Deployment refers to, as copies under names of their own: a release keeps its configuration,
//! and pods of two releases that stand side by side have each its own.

use super::references::{Need, Reference, references};
use crate::state::Key;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The longest name that an object may have.
const LONGEST: usize = 253;

/// ConfigMaps and Secrets of the input, by kind and name.
#[derive(Default)]
pub(super) struct Configs(BTreeMap<(&'static str, String), Value>);

impl Configs {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, manifest: &Value) {
        let kind = match (manifest["apiVersion"].as_str(), manifest["kind"].as_str()) {
            (Some("v1"), Some("ConfigMap")) => "ConfigMap",
            (Some("v1"), Some("Secret")) => "Secret",
            _ => return,
        };
        let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
        self.0.insert((kind, name.to_owned()), manifest.clone());
    }

    /// Those that a template refers to by the names that the input has.
    pub(super) fn referred(&self, template: &Value) -> Vec<(&'static str, String)> {
        let mut template = template.clone();
        let mut referred = Vec::new();
        each(&mut template, &mut |kind, name| {
            let name = name.as_str().unwrap_or_default().to_owned();
            if self.0.contains_key(&(kind, name.clone())) && !referred.contains(&(kind, name.clone())) {
                referred.push((kind, name));
            }
        });
        referred
    }

    /// Has a template refer to copies instead, and yields these.
    pub(super) fn version(&self, template: &mut Value, key: &Key) -> Vec<Value> {
        let mut copies = BTreeMap::new();
        each(template, &mut |kind, name| {
            let named = (kind, name.as_str().unwrap_or_default().to_owned());
            let Some(manifest) = self.0.get(&named) else { return };
            let copy = copy(manifest, key);
            *name = copy["metadata"]["name"].clone();
            copies.insert(named, copy);
        });
        copies.into_values().collect()
    }
}

/// What an object holds, under a name that tells it.
fn copy(manifest: &Value, key: &Key) -> Value {
    let mut copy = json!({ "apiVersion": "v1", "kind": manifest["kind"] });
    for field in ["type", "data", "stringData", "binaryData"] {
        if !manifest[field].is_null() {
            copy[field] = manifest[field].clone();
        }
    }
    let mut held = copy.clone();
    held.sort_all_objects();
    let hash = &key.hex16(&held.to_string())[..10];
    let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
    let name: String = name.chars().take(LONGEST - hash.len() - 1).collect();
    copy["metadata"] = json!({ "name": format!("{name}-{hash}") });
    if let Value::Object(labels) = &manifest["metadata"]["labels"] {
        copy["metadata"]["labels"] = Value::Object(labels.clone());
    }
    copy["immutable"] = json!(true);
    copy
}

/// Calls `with` for each place in a pod template that names a ConfigMap or a Secret, but for credentials of registries.
fn each(template: &mut Value, with: &mut dyn FnMut(&'static str, &mut Value)) {
    let is_meant = |one: &Reference| matches!(one.kind, "ConfigMap" | "Secret") && one.need != Need::Pull;
    for Reference { kind, way, .. } in references(template).into_iter().filter(is_meant) {
        if let Some(name) = template.pointer_mut(&format!("/{}", way.join("/"))) {
            with(kind, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs(value: &str) -> Configs {
        let mut configs = Configs::default();
        configs.add(
            &json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "app" }, "data": { "a": value } }),
        );
        configs.add(&json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "app" }, "stringData": { "a": value } }));
        configs
    }

    fn template() -> Value {
        json!({ "spec": {
            "containers": [{
                "env": [
                    { "name": "A", "valueFrom": { "configMapKeyRef": { "name": "app", "key": "a" } } },
                    { "name": "B", "valueFrom": { "secretKeyRef": { "name": "elsewhere", "key": "a" } } },
                ],
                "envFrom": [{ "configMapRef": { "name": "app" } }],
            }],
            "volumes": [
                { "name": "v", "secret": { "secretName": "app" } },
                { "name": "w", "projected": { "sources": [{ "configMap": { "name": "app" } }] } },
            ],
        } })
    }

    #[test]
    fn every_reference_follows_what_is_held_and_others_stay() {
        let key = Key::for_tests();
        let (mut one, mut two, mut same) = (template(), template(), template());
        let copies = configs("1").version(&mut one, &key);
        assert_eq!(copies.len(), 2);
        configs("2").version(&mut two, &key);
        configs("1").version(&mut same, &key);
        assert_eq!(one, same);
        assert_ne!(one, two);
        let container = &one["spec"]["containers"][0];
        let name = copies[0]["metadata"]["name"].clone();
        assert_eq!(copies[0]["kind"], "ConfigMap");
        assert_eq!(container["env"][0]["valueFrom"]["configMapKeyRef"]["name"], name);
        assert_eq!(container["env"][1]["valueFrom"]["secretKeyRef"]["name"], "elsewhere");
        assert_eq!(container["envFrom"][0]["configMapRef"]["name"], name);
        assert_eq!(one["spec"]["volumes"][0]["secret"]["secretName"], copies[1]["metadata"]["name"]);
        assert_eq!(one["spec"]["volumes"][1]["projected"]["sources"][0]["configMap"]["name"], name);
        let before: Value = template()["spec"]["containers"][0]["args"].clone();
        assert_eq!(container["args"], before, "nothing else is touched");
    }
}
