use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that a plan refers to by name and parameters: a check, later a gate or a task. Whole in the plan, no closure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// Which one; an unknown name fails before any side effect.
    pub name: String,
    /// Its parameters; what they mean is told by whoever bears the name. Never a secret.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub params: Value,
}

impl Named {
    /// A name with parameters.
    pub fn new(name: impl Into<String>, params: Value) -> Self {
        Self { name: name.into(), params }
    }
}
