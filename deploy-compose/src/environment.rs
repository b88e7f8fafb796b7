//! Variables and their values, which are never shown.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// The value of an environment variable. It may be secret: `Debug` shows `…`, and only [`EnvValue::expose`] and
/// serialisation give it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnvValue(String);

impl EnvValue {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself; don't show it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl From<String> for EnvValue {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl From<&str> for EnvValue {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

/// Variables by name. `Debug` shows the names only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, EnvValue>,
}

impl Environment {
    /// No variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a variable, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(EnvValue::expose)
    }

    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<EnvValue>) {
        self.variables.insert(name.into(), value.into());
    }

    /// Adds the variables of `other` that aren't set here.
    pub(crate) fn fill_from(&mut self, other: Self) {
        for (name, value) in other.variables {
            self.variables.entry(name).or_insert(value);
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self { variables: variables.into_iter().map(|(n, v)| (n.into(), EnvValue(v.into()))).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_value() {
        let environment: Environment = [("TOKEN", "hunter2")].into_iter().collect();
        let shown = format!("{environment:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn earlier_variables_win_when_filled() {
        let mut environment: Environment = [("A", "1")].into_iter().collect();
        environment.fill_from([("A", "2"), ("B", "3")].into_iter().collect());
        assert_eq!((environment.get("A"), environment.get("B")), (Some("1"), Some("3")));
    }
}
