//! What a release is called: by a hash of the pod template as the server has it, so that what runs tells by itself which
//! release it is, whoever brought it there.

use crate::names;
use deploy_core::model::{Release, ReleaseId, ServiceName};
use serde_json::{Map, Value};

/// The release that a template is, by the namespace's key.
pub(crate) fn release_id(service: &ServiceName, template: &Value, hash: impl Fn(&str) -> String) -> ReleaseId {
    ReleaseId::new(format!("{service}-{}", hash(&canonical(template).to_string())))
}

/// What is known of a release from its template alone.
pub(crate) fn release(service: &ServiceName, id: ReleaseId, template: &Value) -> Release {
    let images: Vec<_> = containers(template).filter_map(|container| container["image"].as_str()).collect();
    let version = images.first().and_then(|image| tag(image)).unwrap_or_default().to_owned();
    Release { id, service: service.clone(), version, artifact: images.join(" ") }
}

/// The containers of a template, without those that only begin.
pub(crate) fn containers(template: &Value) -> impl Iterator<Item = &Value> {
    template["spec"]["containers"].as_array().into_iter().flatten()
}

/// An image's tag, unless that says nothing.
fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let (_, tag) = name.rsplit_once('/').map_or(name, |(_, last)| last).split_once(':')?;
    (tag != "latest").then_some(tag)
}

/// The same value in one form: names sorted; nulls, which say nothing, left out, and the label that tells a template's pods.
fn canonical(template: &Value) -> Value {
    let mut template = sorted(template);
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.shift_remove(names::HASH);
    }
    template
}

pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            fields.sort_by_key(|(name, _)| *name);
            Value::Object(Map::from_iter(fields.into_iter().map(|(name, value)| (name.clone(), sorted(value)))))
        }
        Value::Array(list) => Value::Array(list.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tag_is_a_version_unless_it_says_nothing() {
        assert_eq!(tag("web:1.2"), Some("1.2"));
        assert_eq!(tag("registry:5000/shop/web:v3@sha256:00"), Some("v3"));
        assert_eq!(tag("registry:5000/web"), None);
        assert_eq!(tag("web:latest"), None);
    }

    #[test]
    fn order_nulls_and_the_hash_label_make_no_other_release() {
        let id = |template: &Value| release_id(&"web".into(), template, str::to_owned);
        let one = json!({ "metadata": { "creationTimestamp": null, "labels": { "app": "web" } }, "spec": { "a": 1, "b": [2] } });
        let same = json!({ "spec": { "b": [2], "a": 1 }, "metadata": { "labels": { "pod-template-hash": "x", "app": "web" } } });
        assert_eq!(id(&one), id(&same));
        assert_ne!(id(&one), id(&json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "a": 1, "b": [3] } })));
    }
}
