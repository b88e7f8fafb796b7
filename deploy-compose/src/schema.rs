//! Checks a tree against the specification's shape, `schema/compose.json`.

use std::sync::LazyLock;

use jsonschema::{
    JsonType, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value as Json;

use crate::{
    node::{Node, Value, join},
    problem::Findings,
    secrecy, suggest,
};

static SCHEMA: LazyLock<Json> =
    LazyLock::new(|| serde_json::from_str(include_str!("../schema/compose.json")).unwrap_or_default());

static VALIDATOR: LazyLock<Result<Validator, String>> =
    LazyLock::new(|| jsonschema::validator_for(&SCHEMA).map_err(|error| error.to_string()));

/// Every violation goes to `findings`, at the place of the value (of the key, where a key is unknown).
pub(crate) fn check(root: &Node, findings: &mut Findings) {
    let validator = match &*VALIDATOR {
        Ok(validator) => validator,
        Err(error) => {
            return findings
                .problem_without_place(format!("expected a valid schema in this library, but found: {error}"));
        }
    };
    for error in validator.iter_errors(&root.to_json()) {
        explain(root, &error, findings);
    }
}

fn explain(root: &Node, error: &ValidationError<'_>, findings: &mut Findings) {
    let (node, path) = locate(root, error.instance_path().as_str());
    let expected = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for key in unexpected {
                let known = known_keys(error.schema_path().as_str());
                unknown_key(node, &path, key, &known, findings);
            }
            return;
        }
        ValidationErrorKind::AnyOf { context } => {
            if let Some(closest) = context.iter().find(|branch| !branch.iter().any(|e| is_about(e, error))) {
                for error in closest {
                    explain(root, error, findings);
                }
                return;
            }
            let mut expected = Vec::new();
            context.iter().flatten().for_each(|e| collect_expected(e, &mut expected));
            or_list(&expected)
        }
        ValidationErrorKind::Required { property } => {
            format!("the key `{}`", property.as_str().unwrap_or_default())
        }
        _ => {
            let mut expected = Vec::new();
            collect_expected(error, &mut expected);
            if expected.is_empty() {
                return findings.problem(&node.place, path, error.masked().to_string());
            }
            or_list(&expected)
        }
    };
    let found = match error.kind() {
        ValidationErrorKind::Required { .. } => "none".to_owned(),
        _ => secrecy::describe(node, &path),
    };
    findings.problem(&node.place, path, format!("expected {expected}, but found {found}"));
}

/// Whether a branch fails because it wants another kind of value than the one that stands there.
fn is_about(branch: &ValidationError<'_>, whole: &ValidationError<'_>) -> bool {
    branch.instance_path() == whole.instance_path()
        && match branch.kind() {
            ValidationErrorKind::Type { .. } | ValidationErrorKind::Enum { .. } => true,
            ValidationErrorKind::AnyOf { context } => context.iter().all(|b| b.iter().any(|e| is_about(e, whole))),
            _ => false,
        }
}

fn collect_expected(error: &ValidationError<'_>, expected: &mut Vec<String>) {
    let mut add = |words: String| {
        if !expected.contains(&words) {
            expected.push(words);
        }
    };
    match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => add(type_words(*kind).into()),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => {
            // A flag may be a text only because an interpolated value is one.
            let flag = kinds.contains(JsonType::Boolean) && !kinds.contains(JsonType::Number);
            let wanted = |kind: &&JsonType| kinds.contains(**kind) && !(flag && **kind == JsonType::String);
            KINDS.iter().filter(wanted).for_each(|kind| add(type_words(*kind).into()));
        }
        ValidationErrorKind::Enum { options } => {
            for option in options.as_array().into_iter().flatten() {
                add(format!("`{}`", option.as_str().unwrap_or_default()));
            }
        }
        ValidationErrorKind::Minimum { limit } => add(format!("at least {limit}")),
        ValidationErrorKind::AnyOf { context } => {
            context.iter().flatten().for_each(|inner| collect_expected(inner, expected));
        }
        _ => {}
    }
}

/// In the order in which people are told of them.
const KINDS: [JsonType; 7] = [
    JsonType::String,
    JsonType::Integer,
    JsonType::Number,
    JsonType::Boolean,
    JsonType::Array,
    JsonType::Object,
    JsonType::Null,
];

fn type_words(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Null => "nothing",
        JsonType::Number => "a number",
        JsonType::Object => "a map",
        JsonType::String => "a text",
    }
}

fn or_list(words: &[String]) -> String {
    match words {
        [] => "another value".into(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} or {last}", some.join(", ")),
    }
}

fn unknown_key(node: &Node, path: &str, key: &str, known: &[&str], findings: &mut Findings) {
    let place = node.entry(key).map_or(&node.place, |entry| &entry.key_place);
    let expected = if known.is_empty() {
        "a name of letters, digits, `.`, `_` and `-`".to_owned()
    } else {
        "a key of the Compose Specification".to_owned()
    };
    let hint = suggest::nearest(key, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    findings.problem(place, join(path, key), format!("expected {expected}, but found `{key}`{hint}"));
}

/// The keys beside the `additionalProperties` that `schema_path` points at.
fn known_keys(schema_path: &str) -> Vec<&'static str> {
    let mut at: &'static Json = &SCHEMA;
    for segment in schema_path.trim_end_matches("/additionalProperties").split('/').skip(1) {
        let segment = unescape(segment);
        at = match &at[segment.as_str()] {
            Json::Null => segment.parse::<usize>().map_or(&Json::Null, |index| &at[index]),
            Json::String(reference) if segment == "$ref" => {
                SCHEMA.pointer(reference.trim_start_matches('#')).unwrap_or(&Json::Null)
            }
            next => next,
        };
    }
    at["properties"].as_object().map(|keys| keys.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// The node that a JSON pointer means, and its path in our own notation.
fn locate<'a>(root: &'a Node, pointer: &str) -> (&'a Node, String) {
    let (mut node, mut path) = (root, String::new());
    for segment in pointer.split('/').skip(1) {
        let segment = unescape(segment);
        let next = match &node.value {
            Value::List(items) => {
                segment.parse::<usize>().ok().and_then(|i| Some((items.get(i)?, format!("{path}[{i}]"))))
            }
            _ => node.entry(&segment).map(|entry| (&entry.value, join(&path, &segment))),
        };
        match next {
            Some(found) => (node, path) = found,
            None => break,
        }
    }
    (node, path)
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}
