//! Lays one file over another, by Compose's rules.

use crate::{
    Place,
    node::{Entry, Node, Tag, Value, join},
    problem::Findings,
    scalar::Scalar,
};

/// How an element meets the one of an earlier file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Maps are merged, lists appended to each other, scalars replaced.
    Usual,
    /// The later one stands.
    Replace,
    /// Maps and lists of `KEY=value` are the same thing.
    Pairs,
    /// A text is a list of one.
    Texts,
    /// A list of keys is a map with nothing under each.
    Keys,
    /// A list of services is a map of conditions.
    Dependencies,
    /// A text is a map with a context.
    Build,
    /// Merged if both use the same driver, else replaced.
    Logging,
    /// A map and a list of hosts are the same thing.
    Hosts,
    /// Two maps are merged, anything else is replaced.
    Limit,
}

fn rule(path: &[&str]) -> Rule {
    match path {
        ["services", _, "command" | "entrypoint"] | ["services", _, "healthcheck", "test"] => Rule::Replace,
        ["services", _, "environment" | "labels" | "annotations" | "sysctls"]
        | ["services", _, "build", "args" | "labels" | "additional_contexts"]
        | ["services", _, "deploy", "labels"]
        | ["networks" | "volumes" | "secrets" | "configs", _, "labels"] => Rule::Pairs,
        ["services", _, "dns" | "dns_search" | "tmpfs" | "env_file" | "label_file"] => Rule::Texts,
        ["services", _, "networks" | "models"] => Rule::Keys,
        ["services", _, "depends_on"] => Rule::Dependencies,
        ["services", _, "build"] => Rule::Build,
        ["services", _, "logging"] => Rule::Logging,
        ["services", _, "extra_hosts"] | ["services", _, "build", "extra_hosts"] => Rule::Hosts,
        ["services", _, "ulimits", _] => Rule::Limit,
        // `x-` extensions are nobody's but their author's.
        [.., last] if last.starts_with("x-") => Rule::Replace,
        _ => Rule::Usual,
    }
}

/// Lays `over` over `base`. Elements of different kinds are a problem at the later one.
pub(crate) fn merge(base: Node, over: Node, findings: &mut Findings) -> Node {
    merge_at(base, over, &mut Vec::new(), findings)
}

/// Removes what is tagged `!reset`, and forgets the other tags.
pub(crate) fn without_resets(mut node: Node) -> Node {
    let kept = |node: Node| (node.tag != Some(Tag::Reset)).then(|| without_resets(node));
    node.tag = None;
    node.value = match node.value {
        Value::Map(entries) => Value::Map(
            entries.into_iter().filter_map(|entry| Some(Entry { value: kept(entry.value)?, ..entry })).collect(),
        ),
        Value::List(items) => Value::List(items.into_iter().filter_map(kept).collect()),
        scalar @ Value::Scalar(_) => scalar,
    };
    node
}

fn merge_at(base: Node, over: Node, path: &mut Vec<String>, findings: &mut Findings) -> Node {
    // A reset stays as a mark until all files are merged: what a later file adds counts again.
    if over.tag.is_some() || base.tag == Some(Tag::Reset) || base.is_null() {
        return over;
    }
    if over.is_null() {
        return base;
    }
    let rule = rule(&path.iter().map(String::as_str).collect::<Vec<_>>());
    if rule == Rule::Replace || (rule == Rule::Logging && !has_same_driver(&base, &over)) {
        return over;
    }
    let (base, over) = (normal(base, rule), normal(over, rule));
    match (base.value, over.value) {
        (Value::Map(entries), Value::Map(more)) => {
            let merged = merge_entries(entries, more, path, findings);
            Node { place: base.place, tag: base.tag, value: Value::Map(merged) }
        }
        (Value::List(mut items), Value::List(more)) => {
            items.extend(more);
            Node { place: base.place, tag: base.tag, value: Value::List(items) }
        }
        (base_value, value) => {
            let earlier = Node { place: base.place, tag: base.tag, value: base_value };
            let later = Node { place: over.place, tag: over.tag, value };
            let are_scalars = matches!((&earlier.value, &later.value), (Value::Scalar(_), Value::Scalar(_)));
            if are_scalars || rule == Rule::Limit {
                return later;
            }
            let message = format!(
                "expected {} as at {}, but found {}",
                earlier.describe_kind(),
                earlier.place,
                later.describe_kind()
            );
            findings.problem(&later.place, path.iter().fold(String::new(), |path, key| join(&path, key)), message);
            earlier
        }
    }
}

fn has_same_driver(base: &Node, over: &Node) -> bool {
    match (base.entry("driver"), over.entry("driver")) {
        (Some(base), Some(over)) => base.value.to_json() == over.value.to_json(),
        _ => true,
    }
}

fn merge_entries(
    mut base: Vec<Entry>,
    over: Vec<Entry>,
    path: &mut Vec<String>,
    findings: &mut Findings,
) -> Vec<Entry> {
    for entry in over {
        let Some(index) = base.iter().position(|earlier| earlier.key == entry.key) else {
            base.push(entry);
            continue;
        };
        let earlier = base.remove(index);
        let earlier_place = earlier.value.place.clone();
        path.push(entry.key.clone());
        let value = merge_at(earlier.value, entry.value, path, findings);
        path.pop();
        let key_place = if value.place == earlier_place { earlier.key_place } else { entry.key_place };
        base.insert(index, Entry { key: entry.key, key_place, value });
    }
    base
}

/// Brings an element into the form in which its rule merges.
fn normal(node: Node, rule: Rule) -> Node {
    let Node { place, tag, value } = node;
    let value = match (rule, value) {
        (Rule::Pairs, Value::List(items)) if items.iter().all(is_text) => {
            let mut entries: Vec<Entry> = Vec::new();
            for item in items {
                let entry = pair(item);
                entries.retain(|earlier| earlier.key != entry.key);
                entries.push(entry);
            }
            Value::Map(entries)
        }
        (Rule::Texts, value @ Value::Scalar(_)) => Value::List(vec![Node::new(place.clone(), value)]),
        (Rule::Keys, Value::List(items)) if items.iter().all(is_text) => {
            Value::Map(keyed(items, |_| Value::Scalar(Scalar::Null)))
        }
        (Rule::Dependencies, Value::List(items)) if items.iter().all(is_text) => {
            Value::Map(keyed(items, |place| single(place, "condition", "service_started")))
        }
        (Rule::Build, Value::Scalar(Scalar::Text(context))) => single(&place, "context", &context),
        (Rule::Hosts, Value::Map(entries)) => Value::List(entries.into_iter().flat_map(hosts).collect()),
        (_, value) => value,
    };
    Node { place, tag, value }
}

fn is_text(node: &Node) -> bool {
    matches!(node.value, Value::Scalar(Scalar::Text(_)))
}

fn text(node: Node) -> String {
    match node.value {
        Value::Scalar(Scalar::Text(text)) => text,
        _ => String::new(),
    }
}

fn pair(item: Node) -> Entry {
    let place = item.place.clone();
    let text = text(item);
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Scalar::Text(value.to_owned())),
        None => (text.as_str(), Scalar::Null),
    };
    Entry { key: key.to_owned(), key_place: place.clone(), value: Node::new(place, Value::Scalar(value)) }
}

fn keyed(items: Vec<Node>, value: impl Fn(&Place) -> Value) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for item in items {
        let place = item.place.clone();
        let key = text(item);
        if !entries.iter().any(|entry| entry.key == key) {
            entries.push(Entry { key, key_place: place.clone(), value: Node::new(place.clone(), value(&place)) });
        }
    }
    entries
}

fn single(place: &Place, key: &str, value: &str) -> Value {
    let value = Node::text(place.clone(), value);
    Value::Map(vec![Entry { key: key.to_owned(), key_place: place.clone(), value }])
}

fn hosts(entry: Entry) -> Vec<Node> {
    let addresses = match entry.value.value {
        Value::List(addresses) => addresses,
        value => vec![Node::new(entry.value.place, value)],
    };
    let host = entry.key;
    addresses.into_iter().map(|a| Node::text(a.place.clone(), format!("{host}={}", text(a)))).collect()
}
