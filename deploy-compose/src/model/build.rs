//! How a service's image is built.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{is_default, service_read::extra_hosts};
use crate::{
    environment::EnvValue,
    paths,
    read::{At, Fields},
    scalar::Scalar,
    units::{ByteSize, SIZE},
};

/// How an image is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// What the builder gets to see.
    pub context: BuildContext,
    /// The Dockerfile, relative to the context; `None` is `Dockerfile`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dockerfile: Option<String>,
    /// The Dockerfile's text, where it stands in the Compose file itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dockerfile_inline: Option<String>,
    /// The stage that becomes the image; `None` is the last one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: Option<String>,
    /// Build arguments.
    #[serde(default, skip_serializing_if = "is_default")]
    pub args: BTreeMap<String, EnvValue>,
    /// Labels of the image.
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// Further names of the image.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tags: Vec<String>,
    /// The network of `RUN` steps, such as `host` or `none`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub network: Option<String>,
    /// Names that `RUN` steps resolve, with their addresses.
    #[serde(default, skip_serializing_if = "is_default")]
    pub extra_hosts: BTreeMap<String, Vec<String>>,
    /// The size of `/dev/shm` in `RUN` steps.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shm_size: Option<ByteSize>,
    /// Whether every step runs again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_cache: bool,
    /// Whether base images are pulled though they are there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pull: bool,
    /// Images whose layers may be used again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache_from: Vec<String>,
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
const PLATFORMS: &str =
    "an image that is built to be run is built for one platform: the service's, or else the Engine's";
const ATTESTED: &str = "images that are built to be run have no attestations";

impl Build {
    pub(crate) fn read(at: &At<'_>) -> Option<Self> {
        if !at.is_map() {
            return Some(Self::in_context(BuildContext::read(at, &at.text()?)));
        }
        let mut fields = at.fields();
        let context = fields.text("context").unwrap_or_else(|| ".".to_owned());
        let mut build = Self::in_context(BuildContext::read(at, &context));
        build.dockerfile = fields.text("dockerfile");
        build.dockerfile_inline = build.read_inline(&mut fields);
        build.target = fields.text("target");
        build.args = fields.take("args").map(|at| at.environment()).unwrap_or_default();
        build.labels = fields.text_pairs("labels");
        build.tags = fields.texts("tags");
        build.network = fields.text("network");
        build.extra_hosts = fields.take("extra_hosts").map(|at| extra_hosts(&at)).unwrap_or_default();
        build.shm_size = fields.take_set("shm_size").and_then(|at| at.parsed(SIZE, ByteSize::parse));
        build.no_cache = fields.flag("no_cache").unwrap_or_default();
        build.pull = fields.flag("pull").unwrap_or_default();
        build.cache_from = fields.take("cache_from").map(|at| cached(&at)).unwrap_or_default();
        fields.ignore("cache_to", CACHE);
        fields.ignore("platforms", PLATFORMS);
        for wish in ["provenance", "sbom"] {
            let wished =
                fields.take(wish).filter(|at| at.scalar().and_then(Scalar::to_text).as_deref() != Some("false"));
            wished.iter().for_each(|at| at.ignore(ATTESTED));
        }
        fields.finish();
        Some(build)
    }

    fn in_context(context: BuildContext) -> Self {
        Self {
            context,
            dockerfile: None,
            dockerfile_inline: None,
            target: None,
            args: BTreeMap::new(),
            labels: BTreeMap::new(),
            tags: Vec::new(),
            network: None,
            extra_hosts: BTreeMap::new(),
            shm_size: None,
            no_cache: false,
            pull: false,
            cache_from: Vec::new(),
        }
    }

    fn read_inline(&self, fields: &mut Fields<'_>) -> Option<String> {
        let at = fields.take_set("dockerfile_inline")?;
        if self.dockerfile.is_some() {
            at.problem_at(at.key_place, "expected one Dockerfile, but found `dockerfile` too; leave one of both out");
        }
        if matches!(self.context, BuildContext::Url(_)) {
            let message = "expected a folder as the context of an inline Dockerfile, but found an address; write the \
                           Dockerfile to where the context is, or fetch the context into a folder";
            at.problem_at(at.key_place, message);
        }
        at.text()
    }
}

/// Images in a registry; other kinds of caches have no effect.
fn cached(at: &At<'_>) -> Vec<String> {
    let image = |at: At<'_>| {
        let text = at.text()?;
        let option =
            |name: &str| text.split(',').find_map(|option| option.trim().strip_prefix(name)?.strip_prefix('='));
        match option("type") {
            None => Some(text.clone()),
            Some("registry") => at.or_expected(option("ref").map(str::to_owned), "type=registry,ref=IMAGE"),
            Some(_) => {
                at.ignore(CACHE);
                None
            }
        }
    };
    at.items().into_iter().filter_map(image).collect()
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
