use super::{Manifest, Source, check};
use deploy_compose::{Problem, yaml};
use serde_json::Value;
use std::sync::Arc;

/// Reads every object of a text, those in lists too. `file` is how problems name the text.
pub(super) fn read(file: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Manifest> {
    let (documents, found) = yaml::read_kubernetes(file, text);
    problems.extend(found);
    let mut manifests = Vec::new();
    for (index, document) in documents.into_iter().map(Arc::new).enumerate() {
        let mut reader = Reader { document: &document, number: index + 1, manifests: &mut manifests, problems };
        match document.to_json() {
            // nothing but comments
            Value::Null => {}
            value => reader.unroll(value, &mut Vec::new()),
        }
    }
    manifests
}

struct Reader<'a> {
    document: &'a Arc<yaml::Document>,
    number: usize,
    manifests: &'a mut Vec<Manifest>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    /// Takes an object, or the items of a list. `way` leads to it in the document.
    fn unroll(&mut self, mut value: Value, way: &mut Vec<String>) {
        let is_list = value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
        if is_list && let Some(Value::Array(items)) = value.get_mut("items").map(Value::take) {
            for (index, item) in items.into_iter().enumerate() {
                way.extend(["items".into(), index.to_string()]);
                self.unroll(item, way);
                way.truncate(way.len() - 2);
            }
            return;
        }
        if let Some(what) = check::foreign(&value) {
            return self.problem(way, &[], format!("expected a Kubernetes object, but found {what}"));
        }
        let wrong = check::object(&value);
        if wrong.is_empty() {
            let place = self.document.place_of(way.iter().map(String::as_str)).clone();
            let source = Source { document: Arc::clone(self.document), way: way.clone() };
            self.manifests.push(Manifest { object: value, place, document: self.number, source });
        }
        for (element, message) in wrong {
            self.problem(way, element, message);
        }
    }

    fn problem(&mut self, way: &[String], element: &[&str], message: String) {
        let way = || way.iter().map(String::as_str).chain(element.iter().copied());
        let mut path = String::new();
        for name in way() {
            match name.parse::<usize>() {
                Ok(index) => path.push_str(&format!("[{index}]")),
                Err(_) if path.is_empty() => path.push_str(name),
                Err(_) => path.extend([".", name]),
            }
        }
        self.problems.push(Problem { place: Some(self.document.place_of(way()).clone()), path, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_ok(text: &str) -> Vec<Manifest> {
        let mut problems = Vec::new();
        let manifests = read("app.yaml", text, &mut problems);
        assert_eq!(problems, []);
        manifests
    }

    fn problems(text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        read("app.yaml", text, &mut problems);
        problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn documents_and_lists_are_unrolled_with_their_places() {
        let manifests = read_ok(
            "# nothing\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n---\napiVersion: v1\nkind: List\n\
             items:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: b, namespace: shop}\n\
             - {apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Secret, metadata: {name: c}}]}\n",
        );
        let shown: Vec<_> =
            manifests.iter().map(|m| format!("{} {} {} {}", m.place(), m.document(), m.kind(), m.name())).collect();
        assert_eq!(shown, ["app.yaml:3:1 1 ConfigMap a", "app.yaml:11:3 3 Deployment b", "app.yaml:14:40 3 Secret c"]);
        assert_eq!(manifests[1].namespace(), Some("shop"));
    }

    #[test]
    fn a_definition_is_of_the_kinds_and_versions_that_it_names() {
        let read = read_ok(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: shops.a.example}\n\
             spec: {group: a.example, names: {kind: Shop}, versions: [{name: v1}]}\n---\n\
             {apiVersion: a.example/v1, kind: Shop, metadata: {name: a}}\n---\n\
             {apiVersion: a.example/v2, kind: Shop, metadata: {name: a}}\n---\n\
             {apiVersion: b.example/v1, kind: Shop, metadata: {name: a}}\n---\n\
             {apiVersion: a.example/v1, kind: Inn, metadata: {name: a}}\n",
        );
        let defined: Vec<_> = read.iter().map(|other| read[0].defines(other)).collect();
        assert_eq!(defined, [false, true, false, false, false]);
    }

    #[test]
    fn what_is_no_object_is_told() {
        let head = "apiVersion: v1\nkind: ConfigMap\n";
        let label = "expected a name of at most 63 small letters, digits and `-`, with a letter or digit at both ends";
        let name = "expected a name of at most 253 small letters, digits, `-` and `.`, with a letter or digit at both \
                    ends of each part";
        let cases: [(String, &[String]); 12] = [
            (
                "- a\n".into(),
                &["app.yaml:1:1: expected a map with apiVersion, kind and metadata, but found a list".into()],
            ),
            (
                "metadata: {name: a}\n".into(),
                &[
                    "app.yaml:1:1: apiVersion: expected a version such as v1 or apps/v1, but found nothing".into(),
                    "app.yaml:1:1: kind: expected a kind such as Deployment, but found nothing".into(),
                ],
            ),
            (
                "apiVersion: 1\nkind: [Pod]\nmetadata: a\n".into(),
                &[
                    "app.yaml:1:1: apiVersion: expected a version such as v1 or apps/v1, but found the number 1".into(),
                    "app.yaml:2:1: kind: expected a kind such as Deployment, but found a list".into(),
                    "app.yaml:3:1: metadata: expected a map with a name, but found the text \"a\"".into(),
                ],
            ),
            (
                format!("{head}metadata: {{name: no}}\n"),
                &[format!("app.yaml:3:12: metadata.name: {name}, but found false")],
            ),
            (
                format!("{head}metadata: {{name: My_App}}\n"),
                &[format!("app.yaml:3:12: metadata.name: {name}, but found the text \"My_App\"")],
            ),
            (
                format!("{head}metadata:\n  generateName: a-\n"),
                &["app.yaml:4:3: metadata.generateName: expected metadata.name, but found generateName; what is \
                   deployed again needs a name that stays"
                    .into()],
            ),
            (
                format!("{head}metadata:\n  name: a\n  namespace: a.b\n"),
                &[format!("app.yaml:5:3: metadata.namespace: {label}, but found the text \"a.b\"")],
            ),
            (
                "apiVersion: v1\nkind: Service\nmetadata: {name: a.b}\n".into(),
                &[format!("app.yaml:3:12: metadata.name: {label}, but found the text \"a.b\"")],
            ),
            (
                format!("{head}metadata: {{name: a}}\nkind: Pod\n"),
                &["app.yaml:4:1: kind: expected each key once, but found `kind` again, first used at app.yaml:2:1"
                    .into()],
            ),
            (
                "services:\n  web: {image: nginx}\n".into(),
                &["app.yaml:1:1: expected a Kubernetes object, but found a Compose file; deploy it without `--target \
                   kubernetes`"
                    .into()],
            ),
            (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n".into(),
                &["app.yaml:1:1: expected a Kubernetes object, but found a kustomization; name its folder instead, \
                   `-f FOLDER`"
                    .into()],
            ),
            (
                "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  metadata: {name: a}\n".into(),
                &["app.yaml:4:3: items[0].apiVersion: expected a version such as v1 or apps/v1, but found nothing"
                    .into()],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(problems(&text), expected, "{text}");
        }
    }

    #[test]
    fn names_of_roles_may_have_colons() {
        let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'system:a'}\n";
        assert_eq!(read_ok(role)[0].name(), "system:a");
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "([a-z&*<!|>'\"{}\\[\\]:#%?~,-]|- |: |\n|  |---\n|\\PC)*") {
            read("app.yaml", &text, &mut Vec::new());
        }

        #[test]
        fn neither_is_one_with_kubernetes_keys(
            text in "((apiVersion|kind|metadata|name|items|namespace)?: ?(v1|List|a|\\{|\\}|\\[|\\])?\n?(- |  )?)*"
        ) {
            read("app.yaml", &text, &mut Vec::new());
        }
    }
}
