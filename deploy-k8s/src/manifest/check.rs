//! What an object must have, and what isn't one at all.

use serde_json::Value;

/// Something that is no Kubernetes object though people mean it to be deployed; what it is, and what to do instead.
pub(super) fn foreign(value: &Value) -> Option<&'static str> {
    let has = |key| value.get(key).is_some();
    let api = value.get("apiVersion").and_then(Value::as_str);
    if has("services") && api.is_none() {
        return Some("a Compose file; deploy it without `--target kubernetes`");
    }
    let kustomize = api.is_some_and(|api| api.starts_with("kustomize.config.k8s.io/"));
    if kustomize || (api.is_none() && !has("kind") && (has("resources") || has("patches"))) {
        return Some(KUSTOMIZATION);
    }
    None
}

/// What a kustomization is, and how it is meant.
pub(super) const KUSTOMIZATION: &str = "a kustomization; name its folder instead, `-f FOLDER`";
/// What a Helm chart is, and how it is meant.
pub(super) const CHART: &str = "a Helm chart; render it, `helm template FOLDER | deploy up -f - --target kubernetes`";

/// What is wrong with an object: each with the way to the element, and a message.
pub(super) fn object(value: &Value) -> Vec<(&'static [&'static str], String)> {
    let mut wrong: Vec<(&[&str], String)> = Vec::new();
    if !value.is_object() {
        wrong.push((&[], expected("a map with apiVersion, kind and metadata", Some(value))));
        return wrong;
    }
    let api = value.get("apiVersion");
    if !api.and_then(Value::as_str).is_some_and(is_api_version) {
        wrong.push((&["apiVersion"], expected("a version such as v1 or apps/v1", api)));
    }
    let kind = value.get("kind");
    if kind.and_then(Value::as_str).is_none_or(str::is_empty) {
        wrong.push((&["kind"], expected("a kind such as Deployment", kind)));
    }
    let metadata = value.get("metadata");
    if !metadata.is_some_and(Value::is_object) {
        wrong.push((&["metadata"], expected("a map with a name", metadata)));
        return wrong;
    }
    let (name, generated) = (value.pointer("/metadata/name"), value.pointer("/metadata/generateName"));
    let group = api.and_then(Value::as_str).and_then(|api| api.split_once('/')).map_or("", |(group, _)| group);
    let (is_name, what) = name_rule(group, kind.and_then(Value::as_str).unwrap_or_default());
    match name {
        None if generated.is_some() => wrong.push((
            &["metadata", "generateName"],
            "expected metadata.name, but found generateName; what is deployed again needs a name that stays".into(),
        )),
        name if name.and_then(Value::as_str).is_some_and(is_name) => {}
        name => wrong.push((&["metadata", "name"], expected(what, name))),
    }
    let namespace = value.pointer("/metadata/namespace").filter(|namespace| !namespace.is_null());
    if namespace.is_some_and(|namespace| !namespace.as_str().is_some_and(is_label)) {
        wrong.push((&["metadata", "namespace"], expected(LABEL, namespace)));
    }
    wrong
}

const LABEL: &str = "a name of at most 63 small letters, digits and `-`, with a letter or digit at both ends";
const SUBDOMAIN: &str =
    "a name of at most 253 small letters, digits, `-` and `.`, with a letter or digit at both ends of each part";

/// What a name must be, and how to say it.
fn name_rule(group: &str, kind: &str) -> (fn(&str) -> bool, &'static str) {
    match (group, kind) {
        // these may have a `:`
        ("rbac.authorization.k8s.io", _) | ("networking.k8s.io", "IPAddress") => {
            (is_path_segment, "a name without `/` and `%`")
        }
        ("", "Namespace" | "Service") => (is_label, LABEL),
        _ => (is_subdomain, SUBDOMAIN),
    }
}

fn is_api_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    parts.len() <= 2 && parts.iter().all(|part| is_subdomain(part))
}

fn is_path_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '%'])
}

fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns)
}

fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_dns(name)
}

fn is_dns(name: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    is_end(name.chars().next()) && is_end(name.chars().next_back()) && name.chars().all(is_inner)
}

fn expected(what: &str, found: Option<&Value>) -> String {
    let found = match found {
        None | Some(Value::Null) => "nothing".into(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Number(number)) => format!("the number {number}"),
        Some(Value::String(text)) if text.is_empty() => "an empty text".into(),
        Some(Value::String(text)) => format!("the text \"{}\"", text.chars().take(60).collect::<String>()),
        Some(Value::Array(_)) => "a list".into(),
        Some(Value::Object(_)) => "a map".into(),
    };
    format!("expected {what}, but found {found}")
}
