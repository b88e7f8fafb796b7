//! How a service's image is built.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::{environment::EnvValue, paths, read::At};

/// How an image is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// What the builder gets to see.
    pub context: BuildContext,
    /// The Dockerfile, relative to the context; `None` is `Dockerfile`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dockerfile: Option<String>,
    /// The stage that becomes the image; `None` is the last one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: Option<String>,
    /// Build arguments.
    #[serde(default, skip_serializing_if = "is_default")]
    pub args: BTreeMap<String, EnvValue>,
}

/// What the builder gets to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildContext {
    /// A folder of the host, absolute if the project directory is.
    Folder(PathBuf),
    /// A repository or an archive that the builder fetches.
    Url(String),
}

const CACHE: &str = "only makes builds faster or slower; this version doesn't use it";

impl Build {
    pub(crate) fn read(at: &At<'_>) -> Option<Self> {
        if !at.is_map() {
            let context = BuildContext::read(at, &at.text()?);
            return Some(Self { context, dockerfile: None, target: None, args: BTreeMap::new() });
        }
        let mut fields = at.fields();
        let context = fields.text("context").unwrap_or_else(|| ".".to_owned());
        let args = fields.take("args").map(|at| at.environment()).unwrap_or_default();
        fields.ignore("cache_from", CACHE);
        fields.ignore("cache_to", CACHE);
        let build = Self {
            context: BuildContext::read(at, &context),
            dockerfile: fields.text("dockerfile"),
            target: fields.text("target"),
            args,
        };
        fields.finish();
        Some(build)
    }
}

impl BuildContext {
    fn read(at: &At<'_>, context: &str) -> Self {
        let is_url = context.contains("://") || context.starts_with("git@") || context.starts_with("github.com/");
        if is_url {
            return Self::Url(context.to_owned());
        }
        Self::Folder(paths::resolve(at.cx.directory, context, at.cx.environment))
    }
}
