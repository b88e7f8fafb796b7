use super::{Manifest, is_cluster_wide};
use deploy_compose::Problem;

/// The namespace that objects are for: the one that was asked for; else the one that they all name; else the context's,
/// which is also meant by those that name none.
pub(super) fn agree(manifests: &[Manifest], asked: Option<&str>, context: &str, problems: &mut Vec<Problem>) -> String {
    let names_none = |manifest: &Manifest| {
        manifest.namespace().is_none() && is_cluster_wide(manifest.group(), manifest.kind()) == Some(false)
    };
    let first = manifests.iter().find_map(|manifest| Some((manifest.namespace()?, manifest.place())));
    let (meant, why) = match (asked, manifests.iter().find(|manifest| names_none(manifest)), first) {
        (Some(asked), ..) => (asked, "that was asked for".into()),
        (None, None, Some((first, place))) => (first, format!("as at {place}")),
        (None, Some(none), _) => (context, format!("of the context, which {} means without one", none.place())),
        (None, None, None) => (context, "of the context".into()),
    };
    for manifest in manifests {
        if let Some(other) = manifest.namespace().filter(|namespace| *namespace != meant) {
            let hint = if asked.is_some() { "" } else { "; a deployment is for one namespace, which `-n` tells" };
            problems.push(Problem {
                place: Some(manifest.place().clone()),
                path: "metadata.namespace".into(),
                message: format!("expected the namespace {meant} {why}, but found {other}{hint}"),
            });
        }
    }
    meant.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::read::read;

    fn agreed(objects: &[(&str, &str, &str)], asked: Option<&str>) -> (String, Vec<String>) {
        let text: String = objects
            .iter()
            .map(|(api, kind, namespace)| {
                format!("---\napiVersion: {api}\nkind: {kind}\nmetadata: {{name: a, namespace: {namespace}}}\n")
            })
            .collect();
        let mut problems = Vec::new();
        let manifests = read("app.yaml", &text, &mut problems);
        let meant = agree(&manifests, asked, "default", &mut problems);
        (meant, problems.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn one_namespace_is_meant() {
        let shop = ("apps/v1", "Deployment", "shop");
        let none = ("v1", "Service", "null");
        assert_eq!(agreed(&[], None), ("default".into(), vec![]));
        assert_eq!(agreed(&[none], None), ("default".into(), vec![]));
        assert_eq!(agreed(&[none, shop], Some("shop")), ("shop".into(), vec![]));
        // neither one that has no namespace nor one that may have none is against it
        let others = [("v1", "Namespace", "null"), ("example.com/v1", "Thing", "null")];
        assert_eq!(agreed(&[shop, others[0], others[1]], None), ("shop".into(), vec![]));
    }

    #[test]
    fn others_are_refused() {
        let shop = ("apps/v1", "Deployment", "shop");
        let cases = [
            (
                vec![shop],
                Some("live"),
                "app.yaml:2:1: metadata.namespace: expected the namespace live that was asked for, but found shop",
            ),
            (
                vec![shop, ("v1", "Service", "front")],
                None,
                "app.yaml:6:1: metadata.namespace: expected the namespace shop as at app.yaml:2:1, but found front; a \
                 deployment is for one namespace, which `-n` tells",
            ),
            (
                vec![shop, ("v1", "Service", "null")],
                None,
                "app.yaml:2:1: metadata.namespace: expected the namespace default of the context, which app.yaml:6:1 \
                 means without one, but found shop; a deployment is for one namespace, which `-n` tells",
            ),
        ];
        for (objects, asked, problem) in cases {
            assert_eq!(agreed(&objects, asked).1, [problem]);
        }
    }
}
