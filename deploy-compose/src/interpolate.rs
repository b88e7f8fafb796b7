//! Replaces the variables in every value of a tree. Keys stay as they are.

use crate::{
    environment::Environment,
    node::{Node, Value, join},
    problem::Findings,
    scalar::Scalar,
    template::Template,
};

/// Texts become texts: what type an interpolated scalar has is said by the field that it stands in.
pub(crate) fn interpolate(node: &mut Node, path: &str, environment: &Environment, findings: &mut Findings) {
    match &mut node.value {
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                interpolate(item, &format!("{path}[{index}]"), environment, findings);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                interpolate(&mut entry.value, &join(path, &entry.key), environment, findings);
            }
        }
        Value::Scalar(Scalar::Text(text)) if text.contains('$') => {
            let template = match Template::parse(text) {
                Ok(template) => template,
                Err(message) => return findings.problem(&node.place, path, message),
            };
            let mut unset = Vec::new();
            match template.render(&|name| environment.get(name), &mut |name| unset.push(name.to_owned())) {
                Ok(rendered) => *text = rendered,
                Err(missing) => {
                    let state = if missing.non_empty { "set and not empty" } else { "set" };
                    let words =
                        if missing.message.is_empty() { String::new() } else { format!(": {}", missing.message) };
                    let message =
                        format!("expected the variable {} to be {state}, but found it isn't{words}", missing.name);
                    findings.problem(&node.place, path, message);
                }
            }
            for name in unset {
                let message = format!("the variable {name} isn't set; an empty text stands in its place");
                findings.warn(&node.place, path, message);
            }
        }
        Value::Scalar(_) => {}
    }
}
