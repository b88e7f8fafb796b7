use super::{Manifest, is_cluster_wide};
use deploy_compose::{Place, Problem};
use std::collections::HashMap;

/// Refuses an object that is there twice. `namespace` is that of objects that name none.
pub(super) fn each_once(manifests: &[Manifest], namespace: &str, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<_, &Place> = HashMap::new();
    for manifest in manifests {
        let (group, kind, name) = (manifest.group(), manifest.kind(), manifest.name());
        let namespace = match is_cluster_wide(group, kind) {
            Some(true) => None,
            _ => Some(manifest.namespace().unwrap_or(namespace)),
        };
        match seen.get(&(group, kind, namespace, name)) {
            None => drop(seen.insert((group, kind, namespace, name), manifest.place())),
            Some(first) => problems.push(Problem {
                place: Some(manifest.place().clone()),
                path: "metadata.name".into(),
                message: format!("expected each object once, but found {kind} {name} again, first at {first}"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::read::read;

    #[test]
    fn an_object_is_its_group_kind_namespace_and_name() {
        let text: String = [
            "{apiVersion: v1, kind: Service, metadata: {name: a}}",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}",
            "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}}",
            "{apiVersion: v1, kind: Service, metadata: {name: a, namespace: shop}}",
            "{apiVersion: v1, kind: Namespace, metadata: {name: a, namespace: x}}",
            "{apiVersion: v1, kind: Namespace, metadata: {name: a}}",
        ]
        .map(|document| format!("--- {document}\n"))
        .concat();
        let mut problems = Vec::new();
        let manifests = read("a.yaml", &text, &mut problems);
        each_once(&manifests, "shop", &mut problems);
        let shown: Vec<_> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(
            shown,
            [
                "a.yaml:4:5: metadata.name: expected each object once, but found Service a again, first at a.yaml:1:5",
                "a.yaml:6:5: metadata.name: expected each object once, but found Namespace a again, first at a.yaml:5:5",
            ]
        );
    }
}
