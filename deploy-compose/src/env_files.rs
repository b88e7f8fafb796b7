//! Files with variables that a service names: `env_file` and `label_file`.

use std::{collections::BTreeMap, fs, io, sync::Arc};

use crate::{
    dotenv::{self, Assignments},
    environment::{EnvValue, Environment},
    paths,
    read::At,
};

/// An entry of `env_file`.
struct EnvFile<'a> {
    path: At<'a>,
    required: bool,
    /// Whether it is taken as it is, without quotes and variables.
    raw: bool,
}

impl EnvFile<'_> {
    fn read(&self, outside: &Environment) -> Option<Assignments> {
        self.path.assignments(self.required, self.raw, outside)
    }
}

impl<'a> At<'a> {
    /// The variables of `env_file`. Later files win over earlier ones. Names in values are looked up in the
    /// environment first, then in the service's `own` variables, then in what came before.
    pub(crate) fn env_files(&self, own: &BTreeMap<String, EnvValue>) -> BTreeMap<String, EnvValue> {
        let mut outside = self.cx.environment.clone();
        outside.fill_from(own.iter().map(|(name, value)| (name.as_str(), value.expose())).collect());
        let mut variables = BTreeMap::new();
        for file in self.env_file_list() {
            let Some(assigned) = file.read(&outside) else { continue };
            outside.fill_from(assigned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect());
            variables.extend(assigned.into_iter().map(|(name, value)| (name, EnvValue::from(value))));
        }
        variables
    }

    /// The same as older versions of Compose have them: names are looked up in earlier files first, then in the
    /// environment, and never in the service's own variables.
    pub(crate) fn env_files_before_own(&self) -> BTreeMap<String, EnvValue> {
        let mut variables: BTreeMap<String, EnvValue> = BTreeMap::new();
        for file in self.env_file_list() {
            let mut outside: Environment =
                variables.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
            outside.fill_from(self.cx.environment.clone());
            let assigned = file.read(&outside).unwrap_or_default();
            variables.extend(assigned.into_iter().map(|(name, value)| (name, EnvValue::from(value))));
        }
        variables
    }

    fn env_file_list(&self) -> Vec<EnvFile<'a>> {
        let items = if self.is_list() { self.items() } else { vec![self.clone()] };
        let mut files = Vec::with_capacity(items.len());
        for at in items {
            let (path, required, raw) = if at.is_map() {
                let mut fields = at.fields();
                let path = fields.take("path");
                let required = fields.flag("required").unwrap_or(true);
                let raw = fields.take("format").and_then(|at| at.parsed("raw", |text| (text == "raw").then_some(())));
                fields.finish();
                (path, required, raw.is_some())
            } else {
                (Some(at.clone()), true, false)
            };
            files.extend(path.map(|path| EnvFile { path, required, raw }));
        }
        files
    }

    /// The labels of `label_file`.
    pub(crate) fn label_files(&self) -> BTreeMap<String, String> {
        let items = if self.is_list() { self.items() } else { vec![self.clone()] };
        let read = |at: At<'_>| at.assignments(true, false, at.cx.environment).unwrap_or_default();
        items.into_iter().flat_map(read).collect()
    }

    fn assignments(&self, required: bool, raw: bool, outside: &Environment) -> Option<Assignments> {
        let written = self.text()?;
        let path = paths::resolve(self.cx.directory, &written, self.cx.environment);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => return None,
            Err(error) => {
                self.problem(format!("expected a readable file at {}, but found: {error}", path.display()));
                return None;
            }
        };
        if raw {
            return Some(dotenv::parse_raw(&text));
        }
        let shown: Arc<str> = paths::shown(self.cx.directory, &path).into();
        let mut findings = self.cx.findings.borrow_mut();
        Some(dotenv::parse(&shown, &text, outside, &mut findings))
    }
}
