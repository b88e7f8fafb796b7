//! What `kubectl apply` would send: the manifest, and what left it since it was last applied.

mod last_applied;
mod lists;
#[cfg(test)]
mod on_cluster;

pub(crate) use last_applied::last_applied;

use super::scope::is_built_in;
use crate::names::LAST_APPLIED;
use lists::{Elements, Schema};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A patch, by the type that the API server knows it under. It has what is in a Secret, so it isn't to be shown.
#[derive(Clone)]
pub(crate) enum ApplyPatch {
    /// A strategic merge patch: lists with a merge key are merged.
    Strategic(Value),
    /// A JSON merge patch, for custom resources: lists are replaced.
    Merge(Value),
}

/// The patch that makes an object what its manifest says. What the manifest doesn't name stays as it is, unless the
/// manifest named it when it was last applied.
///
/// Of lists whose merge keys aren't unique (a port with two protocols), all elements are replaced: merged, one would
/// swallow the other.
///
/// A field that is another's to write, such as an autoscaler's `replicas`, is to be taken out of the patch: out of the
/// manifest alone it would become a `null`.
pub(crate) fn patch(last_applied: Option<&Value>, manifest: &Value) -> ApplyPatch {
    let text = |key| manifest.get(key).and_then(Value::as_str).unwrap_or_default();
    let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
    let strategic = is_built_in(group);
    let empty = Map::new();
    let old = last_applied.and_then(Value::as_object);
    let schema = if strategic { Schema::of(text("kind")) } else { Schema::atomic() };
    let mut body = of_map(&schema, "", old, manifest.as_object().unwrap_or(&empty));
    annotate(&mut body, self::last_applied(manifest));
    if strategic { ApplyPatch::Strategic(body.into()) } else { ApplyPatch::Merge(body.into()) }
}

fn annotate(body: &mut Map<String, Value>, last_applied: String) {
    let mut at = body;
    for key in ["metadata", "annotations"] {
        let inner = at.entry(key).or_insert(Value::Null);
        if !inner.is_object() {
            *inner = json!({});
        }
        let Some(inner) = inner.as_object_mut() else { return };
        at = inner;
    }
    at.insert(LAST_APPLIED.into(), last_applied.into());
}

/// `path` has the names on the way to the map, without the numbers of list items.
fn of_map(
    schema: &Schema,
    path: &str,
    old: Option<&Map<String, Value>>,
    new: &Map<String, Value>,
) -> Map<String, Value> {
    let mut body = Map::new();
    for (key, value) in new {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let old = old.and_then(|old| old.get(key));
        match value {
            Value::Object(new) => {
                body.insert(key.clone(), of_map(schema, &path, old.and_then(Value::as_object), new).into());
            }
            Value::Array(new) => {
                let old = old.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                of_list(schema, &path, key, old, new, &mut body);
            }
            other => {
                body.insert(key.clone(), other.clone());
            }
        }
    }
    for key in old.into_iter().flat_map(Map::keys).filter(|key| !new.contains_key(*key)) {
        body.insert(key.clone(), Value::Null);
    }
    // the settings of a rolling update, which may be there by default, are refused with another type
    let kind = new.get("type").and_then(Value::as_str);
    if schema.is_strategy(path) && kind.is_some_and(|kind| kind != "RollingUpdate") {
        body.entry("rollingUpdate").or_insert(Value::Null);
    }
    body
}

fn of_list(schema: &Schema, path: &str, name: &str, old: &[Value], new: &[Value], body: &mut Map<String, Value>) {
    let order = format!("$setElementOrder/{name}");
    match schema.elements(path) {
        Elements::Atomic => drop(body.insert(name.into(), new.to_vec().into())),
        Elements::Values => {
            let left: Vec<Value> = old.iter().filter(|value| !new.contains(value)).cloned().collect();
            if !left.is_empty() {
                body.insert(format!("$deleteFromPrimitiveList/{name}"), left.into());
            }
            body.insert(order, new.to_vec().into());
            body.insert(name.into(), new.to_vec().into());
        }
        Elements::Keyed { key, retain } => {
            if !has_unique_keys(new, key) || !has_unique_keys(old, key) {
                let replace = json!({"$patch": "replace"});
                body.insert(name.into(), new.iter().cloned().chain([replace]).collect());
                return;
            }
            let mut elements = Vec::new();
            for element in new.iter().filter_map(Value::as_object) {
                let old = find(old, key, &element[key]).and_then(Value::as_object);
                let mut patch = of_map(schema, path, old, element);
                if retain {
                    patch.insert("$retainKeys".into(), element.keys().cloned().collect());
                }
                elements.push(Value::Object(patch));
            }
            let left = old.iter().filter(|element| find(new, key, &element[key]).is_none());
            elements.extend(left.map(|element| json!({"$patch": "delete", key: element[key]})));
            if !new.is_empty() {
                body.insert(order, new.iter().map(|element| json!({key: element[key]})).collect());
            }
            body.insert(name.into(), elements.into());
        }
    }
}

fn find<'a>(elements: &'a [Value], key: &str, wanted: &Value) -> Option<&'a Value> {
    elements.iter().find(|element| element[key] == *wanted)
}

fn has_unique_keys(elements: &[Value], key: &str) -> bool {
    let keys: BTreeSet<String> = elements.iter().filter_map(|element| Some(element.get(key)?.to_string())).collect();
    keys.len() == elements.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(last: Option<Value>, manifest: Value) -> Value {
        let (ApplyPatch::Strategic(mut body) | ApplyPatch::Merge(mut body)) = patch(last.as_ref(), &manifest);
        let metadata = body["metadata"].as_object_mut().unwrap();
        metadata["annotations"].as_object_mut().unwrap().remove(LAST_APPLIED);
        if metadata["annotations"] == json!({}) {
            metadata.remove("annotations");
        }
        body
    }

    fn deployment(spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec})
    }

    fn pod(spec: Value) -> Value {
        deployment(json!({"template": {"spec": spec}}))
    }

    fn changed(old: Value, new: Value) -> Value {
        body(Some(pod(old)), pod(new))["spec"]["template"]["spec"].clone()
    }

    #[test]
    fn what_left_a_map_is_null() {
        let old = deployment(json!({"paused": true, "selector": {"matchLabels": {"a": "1", "b": "2"}}}));
        let new = deployment(json!({"selector": {"matchLabels": {"a": "1"}}}));
        assert_eq!(
            body(Some(old), new)["spec"],
            json!({"selector": {"matchLabels": {"a": "1", "b": null}}, "paused": null})
        );
    }

    #[test]
    fn what_left_a_list_with_a_key_is_deleted() {
        let old = json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]});
        let new = json!({"containers": [{"name": "a", "env": []}]});
        assert_eq!(
            changed(old, new),
            json!({
                "$setElementOrder/containers": [{"name": "a"}],
                "containers": [
                    {"name": "a", "env": [{"$patch": "delete", "name": "X"}]},
                    {"$patch": "delete", "name": "b"},
                ],
            })
        );
    }

    #[test]
    fn a_volume_keeps_no_source_but_its_own() {
        let old = json!({"volumes": [{"name": "a", "emptyDir": {}}]});
        let new = json!({"volumes": [{"name": "a", "configMap": {"name": "c"}}]});
        assert_eq!(
            changed(old, new)["volumes"],
            json!([{"name": "a", "configMap": {"name": "c"}, "emptyDir": null, "$retainKeys": ["name", "configMap"]}])
        );
    }

    #[test]
    fn lists_without_a_key_and_without_unique_keys_are_replaced() {
        let old = json!({"tolerations": [{"key": "a"}], "topologySpreadConstraints": []});
        let twice = [json!({"topologyKey": "zone", "maxSkew": 1}), json!({"topologyKey": "zone", "maxSkew": 2})];
        let new = json!({"tolerations": [], "topologySpreadConstraints": twice});
        assert_eq!(
            changed(old, new),
            json!({"tolerations": [], "topologySpreadConstraints": [twice[0], twice[1], {"$patch": "replace"}]})
        );
    }

    #[test]
    fn the_settings_of_a_rolling_update_go_with_it() {
        let spec = body(None, deployment(json!({"strategy": {"type": "Recreate"}})))["spec"].clone();
        assert_eq!(spec, json!({"strategy": {"type": "Recreate", "rollingUpdate": null}}));
    }

    #[test]
    fn finalizers_of_others_stay() {
        let with = |finalizers: &[&str]| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "finalizers": finalizers}});
        assert_eq!(
            body(Some(with(&["x", "y"])), with(&["y"]))["metadata"],
            json!({
                "name": "a",
                "$deleteFromPrimitiveList/finalizers": ["x"],
                "$setElementOrder/finalizers": ["y"],
                "finalizers": ["y"],
            })
        );
    }

    #[test]
    fn custom_resources_get_a_merge_patch() {
        let with = |spec: Value| json!({"apiVersion": "example.com/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec});
        let new = with(json!({"containers": [{"name": "b"}]}));
        let ApplyPatch::Merge(body) = patch(Some(&with(json!({"containers": [], "x": 1}))), &new) else {
            panic!("expected a merge patch");
        };
        assert_eq!(body["spec"], json!({"containers": [{"name": "b"}], "x": null}));
    }

    #[test]
    fn the_manifest_is_remembered() {
        let manifest = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "annotations": null}});
        let ApplyPatch::Strategic(body) = patch(None, &manifest) else { panic!("expected a strategic patch") };
        assert_eq!(body["metadata"]["annotations"][LAST_APPLIED], last_applied(&manifest));
    }
}
