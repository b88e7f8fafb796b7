//! Secrets and configs, and where their contents come from.

use std::{fmt, fs, io, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Key;
use crate::{
    declared::Kind,
    environment::{EnvValue, Environment},
    paths,
    read::At,
};

/// A secret or a config of the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileObject {
    /// What it is called outside of the project.
    pub name: String,
    /// Where its content comes from.
    pub source: Source,
}

/// Where the content of a secret or config comes from. The content itself is read by [`FileObject::content`] only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A variable of the environment that the project was loaded with.
    Environment(String),
    /// The Compose file itself.
    Inline(EnvValue),
}

/// The content of a secret or config. `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(Vec<u8>);

impl Content {
    /// The bytes themselves; don't show them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

/// Why a secret's or config's content can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The file can't be read.
    #[error("expected a readable file at {}; create it, or change `file:`", .path.display())]
    File {
        /// The path that was tried.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The variable isn't set.
    #[error("expected the variable {variable} to be set, but found it isn't; set it in the environment or in .env")]
    Unset {
        /// The variable's name.
        variable: String,
    },
}

impl FileObject {
    /// Reads the content.
    ///
    /// # Errors
    ///
    /// If the file can't be read, or the variable isn't set.
    pub fn content(&self, environment: &Environment) -> Result<Content, ContentError> {
        match &self.source {
            Source::File(path) => {
                let read = fs::read(path).map_err(|source| ContentError::File { path: path.clone(), source });
                read.map(Content)
            }
            Source::Environment(variable) => match environment.get(variable) {
                Some(value) => Ok(Content(value.as_bytes().to_vec())),
                None => Err(ContentError::Unset { variable: variable.clone() }),
            },
            Source::Inline(value) => Ok(Content(value.expose().as_bytes().to_vec())),
        }
    }

    pub(crate) fn read(at: &At<'_>, key: &Key, kind: Kind) -> Option<Self> {
        let mut fields = at.fields();
        let name = fields.text("name").unwrap_or_else(|| format!("{}_{key}", at.cx.project));
        let file = fields.text("file").map(|path| paths::resolve(at.cx.directory, &path, at.cx.environment));
        let sources = [
            file.map(Source::File),
            fields.text("environment").map(Source::Environment),
            fields.take("content").and_then(|at| at.text()).map(|content| Source::Inline(content.into())),
        ];
        let external = fields.take("external").filter(|at| at.is_map() || at.flag() == Some(true));
        if let Some(at) = &external {
            at.problem(
                "expected a secret or config of this project, but found an external one, which only a Swarm has; give \
                 its `file` instead",
            );
        }
        fields.ignore("labels", "containers get no labels of secrets and configs");
        fields.finish();
        let mut sources = sources.into_iter().flatten();
        let source = match (sources.next(), sources.next()) {
            (Some(source), None) => Some(source),
            (None, _) if external.is_some() => None,
            _ if kind == Kind::Secret => at.or_expected(None, "exactly one of `file` and `environment`"),
            _ => at.or_expected(None, "exactly one of `file`, `environment` and `content`"),
        };
        Some(Self { name, source: source? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(source: Source) -> FileObject {
        FileObject { name: "x".into(), source }
    }

    #[test]
    fn content_comes_from_where_the_file_says_and_is_never_shown() {
        let environment: Environment = [("TOKEN", "hunter2")].into_iter().collect();
        for source in [Source::Environment("TOKEN".into()), Source::Inline("hunter2".into())] {
            let content = object(source).content(&environment).unwrap();
            assert_eq!(content.expose(), b"hunter2");
            assert_eq!(format!("{content:?}"), "Content(7 bytes)");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = object(Source::Environment("NOPE".into())).content(&Environment::new()).unwrap_err();
        assert!(error.to_string().contains("NOPE"), "{error}");
        let error = object(Source::File("/nowhere/at/all".into())).content(&Environment::new()).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
