//! YAML for formats other than Compose's: the same parser, with the same kind of report.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::{
    Place, Problem,
    node::{Node, Value},
    parse::{Dialect, parse},
    problem::Findings,
};

/// One document of a YAML text, with the place of everything in it.
#[derive(Clone, Debug)]
pub struct Document {
    root: Node,
}

/// Reads every document as `kubectl` does: YAML 1.1 on its way to JSON, where an unquoted `yes` is `true` and `0644` is
/// 420. A key that stands twice is a problem. `file` is how problems name the text.
#[must_use]
pub fn read_kubernetes(file: &str, text: &str) -> (Vec<Document>, Vec<Problem>) {
    let mut findings = Findings::default();
    let roots = parse(&Arc::from(file), text, Dialect::Kubernetes, &mut findings);
    (roots.into_iter().map(|root| Document { root }).collect(), findings.into_problems())
}

impl Document {
    /// Its value; keys are in the order of the text.
    #[must_use]
    pub fn to_json(&self) -> Json {
        self.root.to_json()
    }

    /// Where its first key stands, or its only value.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.root.place
    }

    /// Where an element stands, by the names on the way to it, a list's items by their numbers; the nearest one around
    /// it if it isn't there. A value under a key stands where its key does.
    #[must_use]
    pub fn place_of<'a>(&self, way: impl IntoIterator<Item = &'a str>) -> &Place {
        let (mut node, mut place) = (&self.root, &self.root.place);
        for name in way {
            (node, place) = match &node.value {
                Value::List(items) => match name.parse().ok().and_then(|index: usize| items.get(index)) {
                    Some(item) => (item, &item.place),
                    None => return place,
                },
                _ => match node.entry(name) {
                    Some(entry) => (&entry.value, &entry.key_place),
                    None => return place,
                },
            };
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(text: &str) -> Vec<String> {
        read_kubernetes("app.yaml", text).1.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn values_are_those_of_kubectl() {
        let text = "a: &a {on: yes, 8080: 0644, 1.5: no}\nb:\n  <<: *a\n  c: 'no'\n---\n- !!str 1\n";
        let (documents, problems) = read_kubernetes("app.yaml", text);
        assert_eq!(problems, []);
        let values: Vec<_> = documents.iter().map(Document::to_json).collect();
        let a = json!({"true": true, "8080": 420, "1.5": false});
        let b = json!({"c": "no", "true": true, "8080": 420, "1.5": false});
        assert_eq!(values, [json!({"a": a, "b": b}), json!(["1"])]);
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let text = "a: 1\na: 2\nb: !!binary aGk=\nc: .inf\nd: {~: 1}\n---\ne: [\n";
        assert_eq!(
            problems(text),
            [
                "app.yaml:2:1: a: expected each key once, but found `a` again, first used at app.yaml:1:1",
                "app.yaml:3:13: b: expected no tag other than !!str, but found !!binary",
                "app.yaml:4:4: c: expected a number that JSON has, but found .inf",
                "app.yaml:5:5: d: expected a text as key, but found nothing; put it in quotes",
                "app.yaml:7:4: expected YAML, but found an error in it: unclosed bracket '['",
            ]
        );
    }

    #[test]
    fn json_is_read_as_json() {
        let text = "{\n\t\"a\": \"x\\/y \\ud83d\\ude00 \\\\ud83d\",\n\t\"b\":[1e2,true,null],\"c\":\"\\u00e9\"\n}\n";
        let (documents, problems) = read_kubernetes("app.json", text);
        assert_eq!(problems, []);
        assert_eq!(documents[0].to_json(), json!({"a": "x/y \u{1f600} \\ud83d", "b": [100, true, null], "c": "é"}));
    }

    #[test]
    fn places_are_those_of_keys_and_items() {
        let (documents, _) = read_kubernetes("app.yaml", "# first\n\nitems:\n- metadata:\n    name: x\n");
        let at = |way: &[&str]| documents[0].place_of(way.iter().copied()).to_string();
        assert_eq!(documents[0].place().to_string(), "app.yaml:3:1");
        assert_eq!(at(&["items", "0", "metadata", "name"]), "app.yaml:5:5");
        assert_eq!(at(&["items", "0", "metadata", "labels", "x"]), "app.yaml:4:3");
        assert_eq!(at(&["items", "7"]), "app.yaml:3:1");
    }
}
