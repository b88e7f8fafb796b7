//! What loading finds: problems that stop it, warnings, and what Compose ignores.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Place;

/// One reason why a project could not be loaded.
///
/// Shown as `compose.yaml:12:5: services.web.ports[0]: expected …, but found …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands; `None` where no file is to blame (no Compose file found, a file that can't be read).
    pub place: Option<Place>,
    /// The element it is about, such as `services.web.ports[0]`; empty for a whole file.
    pub path: String,
    /// What was expected and what was found. Values of environment variables are never shown.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.place.as_ref(), &self.path, &self.message)
    }
}

/// Something that Compose accepts but the owner of the file should know about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Where it stands.
    pub place: Option<Place>,
    /// The element it is about, such as `services.web.command`.
    pub path: String,
    /// What happens, and what to write instead.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.place.as_ref(), &self.path, &self.message)
    }
}

/// Something in the file that has no effect; mostly because Compose itself ignores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// Where it stands.
    pub place: Place,
    /// The element, such as `services.web.deploy.placement`.
    pub what: String,
    /// Why it has no effect.
    pub why: String,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, Some(&self.place), &self.what, &self.why)
    }
}

/// Why a project could not be loaded: all problems that were found, in the order of the file.
///
/// Shown as one line a problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.problems))]
pub struct LoadError {
    problems: Vec<Problem>,
}

impl LoadError {
    pub(crate) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        problems.dedup();
        Self { problems }
    }

    /// The problems, at least one, ordered by place.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// Collects what is found while a project is loaded, so that one run shows every problem.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) ignored: Vec<Ignored>,
}

impl Findings {
    pub(crate) fn problem(&mut self, place: &Place, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { place: Some(place.clone()), path: path.into(), message: message.into() });
    }

    pub(crate) fn problem_without_place(&mut self, message: impl Into<String>) {
        self.problems.push(Problem { place: None, path: String::new(), message: message.into() });
    }

    pub(crate) fn warn(&mut self, place: &Place, path: impl Into<String>, message: impl Into<String>) {
        let warning = Warning { place: Some(place.clone()), path: path.into(), message: message.into() };
        // A value that aliases repeat is worth one warning.
        let is_same = |other: &Warning| other.place == warning.place && other.message == warning.message;
        if !self.warnings.iter().any(is_same) {
            self.warnings.push(warning);
        }
    }

    pub(crate) fn ignore(&mut self, place: &Place, what: impl Into<String>, why: impl Into<String>) {
        let ignored = Ignored { place: place.clone(), what: what.into(), why: why.into() };
        if !self.ignored.contains(&ignored) {
            self.ignored.push(ignored);
        }
    }

    /// Fails with everything found so far if any of it is a problem.
    pub(crate) fn check(&mut self) -> Result<(), LoadError> {
        if self.problems.is_empty() { Ok(()) } else { Err(self.fail()) }
    }

    fn fail(&mut self) -> LoadError {
        LoadError::new(std::mem::take(&mut self.problems))
    }

    /// All problems, in the order in which they were found.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Fails with one more problem.
    pub(crate) fn fail_with(&mut self, message: impl Into<String>) -> LoadError {
        self.problem_without_place(message);
        self.fail()
    }
}

fn show(f: &mut fmt::Formatter<'_>, place: Option<&Place>, path: &str, message: &str) -> fmt::Result {
    if let Some(place) = place {
        write!(f, "{place}: ")?;
    }
    if !path.is_empty() {
        write!(f, "{path}: ")?;
    }
    f.write_str(message)
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}
