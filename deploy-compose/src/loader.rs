//! Loading a project: files in, a checked and resolved project out.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use crate::{
    LoadError,
    assemble::{Sources, assemble},
    dotenv,
    environment::Environment,
    interpolate::interpolate,
    locate,
    merge::{merge, without_resets},
    model::Project,
    node::{Node, Value},
    parse::{Dialect, parse},
    paths,
    problem::Findings,
    schema,
};

/// Loads a project.
///
/// It reads the Compose files, `.env` and the files that services name under `env_file` and `label_file`, and nothing
/// else: not the process's environment, and no content of secrets and configs. Relative paths that a caller gives start
/// at the working directory; those in files and variables at the project directory.
#[derive(Clone, Debug)]
pub struct Loader {
    directory: PathBuf,
    files: Vec<PathBuf>,
    environment: Environment,
    env_files: Option<Vec<PathBuf>>,
    profiles: Vec<String>,
    name: Option<String>,
}

impl Loader {
    /// A loader for the project in `directory`, which relative paths start at.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: absolute(directory),
            files: Vec::new(),
            environment: Environment::new(),
            env_files: None,
            profiles: Vec::new(),
            name: None,
        }
    }

    /// The Compose files, later ones over earlier ones. Without any, `COMPOSE_FILE` names them, or else they are
    /// `compose.yaml`, `compose.yml`, `docker-compose.yml` or `docker-compose.yaml`, and the override file beside it.
    #[must_use]
    pub fn files<P: Into<PathBuf>>(mut self, files: impl IntoIterator<Item = P>) -> Self {
        self.files.extend(files.into_iter().map(absolute));
        self
    }

    /// The environment, usually the process's own. It wins over environment files.
    #[must_use]
    pub fn env<N: Into<String>, V: Into<String>>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        self.environment = variables.into_iter().collect();
        self
    }

    /// Environment files, later ones over earlier ones, in place of `.env` in the project directory.
    #[must_use]
    pub fn env_files<P: Into<PathBuf>>(mut self, files: impl IntoIterator<Item = P>) -> Self {
        let files: Vec<PathBuf> = files.into_iter().map(absolute).collect();
        if !files.is_empty() {
            self.env_files = Some(files);
        }
        self
    }

    /// Active profiles; `*` is every one. Without any, `COMPOSE_PROFILES` names them.
    #[must_use]
    pub fn profiles<P: Into<String>>(mut self, profiles: impl IntoIterator<Item = P>) -> Self {
        self.profiles.extend(profiles.into_iter().map(Into::into));
        self
    }

    /// The project's name. Without one it is `COMPOSE_PROJECT_NAME`, else the file's `name:`, else the directory's.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Loads the project.
    ///
    /// # Errors
    ///
    /// Every problem that was found, each with its place. Later steps don't run on what an earlier one refused: YAML
    /// and variables first, then the specification's schema, then the fields.
    pub fn load(self) -> Result<Project, LoadError> {
        self.run(None)
    }

    /// Loads the project from a text, shown to people as `file`, in place of Compose files.
    ///
    /// # Errors
    ///
    /// As [`Loader::load`].
    pub fn load_str(self, file: &str, text: &str) -> Result<Project, LoadError> {
        self.run(Some((file, text)))
    }

    fn run(mut self, text: Option<(&str, &str)>) -> Result<Project, LoadError> {
        let mut findings = Findings::default();
        self.read_env_files(&mut findings);
        let mut documents = Vec::new();
        let mut files = Vec::new();
        match text {
            Some((file, text)) => documents.extend(parse(&Arc::from(file), text, Dialect::Compose, &mut findings)),
            None => {
                files = self.compose_files(&mut findings);
                for path in &files {
                    let shown = paths::shown(&self.directory, path);
                    match fs::read_to_string(path) {
                        Ok(text) => documents.extend(parse(&Arc::from(shown), &text, Dialect::Compose, &mut findings)),
                        Err(error) => findings
                            .problem_without_place(format!("expected a readable file at {shown}, but found: {error}")),
                    }
                }
            }
        }
        findings.check()?;
        let name = self.project_name(&documents, &mut findings);
        findings.check()?;
        self.environment.set("COMPOSE_PROJECT_NAME", name.as_str());
        let root = self.merged(documents, &mut findings)?;
        schema::check(&root, &mut findings);
        findings.check()?;
        if self.profiles.is_empty() {
            let active = self.environment.get("COMPOSE_PROFILES").unwrap_or_default();
            self.profiles = active.split(',').map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect();
        }
        let sources =
            Sources { name, files, directory: self.directory, profiles: self.profiles, environment: self.environment };
        assemble(sources, &root, findings)
    }

    fn read_env_files(&mut self, findings: &mut Findings) {
        let given = self.env_files.take().or_else(|| {
            let named = self.environment.get("COMPOSE_ENV_FILES")?;
            Some(named.split(',').filter(|file| !file.is_empty()).map(PathBuf::from).collect())
        });
        let required = given.is_some();
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        for file in given.unwrap_or_else(|| vec![PathBuf::from(".env")]) {
            let path = self.directory.join(file);
            let shown = paths::shown(&self.directory, &path);
            match fs::read_to_string(&path) {
                Ok(text) => variables.extend(dotenv::parse(&Arc::from(shown), &text, &self.environment, findings)),
                Err(_) if !required && !path.is_file() => {}
                Err(error) => {
                    findings.problem_without_place(format!("expected a readable file at {shown}, but found: {error}"));
                }
            }
        }
        self.environment.fill_from(variables.into_iter().collect());
    }

    fn compose_files(&self, findings: &mut Findings) -> Vec<PathBuf> {
        if !self.files.is_empty() {
            return self.files.clone();
        }
        if let Some(named) = self.environment.get("COMPOSE_FILE").filter(|named| !named.is_empty()) {
            let separator = self.environment.get("COMPOSE_PATH_SEPARATOR").filter(|s| !s.is_empty()).unwrap_or(":");
            return named.split(separator).map(|file| self.directory.join(file)).collect();
        }
        locate::default_files(&self.directory, findings)
    }

    fn project_name(&self, documents: &[Node], findings: &mut Findings) -> String {
        let given = self.name.as_deref().or_else(|| self.environment.get("COMPOSE_PROJECT_NAME"));
        if let Some(name) = given.filter(|name| !name.is_empty()) {
            if !locate::is_name(name) {
                findings.problem_without_place(format!("expected as project {}, but found `{name}`", locate::NAME));
            }
            return name.to_owned();
        }
        let named = documents.iter().rev().find_map(|document| document.entry("name"));
        if let Some(entry) = named {
            let mut node = entry.value.clone();
            interpolate(&mut node, "name", &self.environment, findings);
            let name = match &node.value {
                Value::Scalar(scalar) => scalar.to_text().unwrap_or_default(),
                _ => String::new(),
            };
            if !locate::is_name(&name) {
                let message = format!("expected {}, but found {}", locate::NAME, node.describe());
                findings.problem(&node.place, "name", message);
            }
            return name;
        }
        let name = locate::name_of(&self.directory);
        if name.is_none() {
            findings.problem_without_place(format!(
                "expected a directory whose name can name the project, but found {}; give the project a name",
                self.directory.display()
            ));
        }
        name.unwrap_or_default()
    }

    fn merged(&self, documents: Vec<Node>, findings: &mut Findings) -> Result<Node, LoadError> {
        let mut merged: Option<Node> = None;
        for mut document in documents.into_iter().filter(|document| !document.is_null()) {
            interpolate(&mut document, "", &self.environment, findings);
            merged = Some(match merged {
                Some(base) => merge(base, document, findings),
                None => document,
            });
        }
        findings.check()?;
        merged
            .map(without_resets)
            .ok_or_else(|| findings.fail_with("expected a Compose file with services, but found an empty one"))
    }
}

/// Paths that callers give are relative to the process's working directory, as everywhere.
fn absolute(path: impl Into<PathBuf>) -> PathBuf {
    let path = path.into();
    std::path::absolute(&path).unwrap_or(path)
}
