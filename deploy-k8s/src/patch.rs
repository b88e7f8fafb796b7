use serde_json::{Value, json};

/// A JSON patch (RFC 6902): all of it is done, or nothing. A test that fails is answered with 422.
#[derive(Clone, Debug, Default)]
pub(crate) struct JsonPatch(Vec<Value>);

impl JsonPatch {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Fails where another value, or none, is there.
    pub(crate) fn test(self, path: impl AsRef<str>, value: impl Into<Value>) -> Self {
        self.op("test", path, value)
    }

    /// Both, this one first.
    pub(crate) fn then(mut self, next: Self) -> Self {
        self.0.extend(next.0);
        self
    }

    /// Sets a field, whether it is there or not; what it is in must be.
    pub(crate) fn set(self, path: impl AsRef<str>, value: impl Into<Value>) -> Self {
        self.op("add", path, value)
    }

    /// Takes a field away that is there.
    pub(crate) fn remove(mut self, path: impl AsRef<str>) -> Self {
        self.0.push(json!({ "op": "remove", "path": path.as_ref() }));
        self
    }

    fn op(mut self, op: &str, path: impl AsRef<str>, value: impl Into<Value>) -> Self {
        self.0.push(json!({ "op": op, "path": path.as_ref(), "value": value.into() }));
        self
    }

    /// The patch as it is sent.
    pub(crate) fn into_value(self) -> Value {
        Value::Array(self.0)
    }
}

/// The path of a field by the names on the way to it.
pub(crate) fn path<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect()
}

/// The path of an annotation.
pub(crate) fn annotation(key: &str) -> String {
    path(["metadata", "annotations", key])
}
