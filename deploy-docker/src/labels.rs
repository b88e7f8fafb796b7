//! The labels on what is ours, and Compose's beside them.

use std::collections::HashMap;

/// What each label of ours begins with.
pub(crate) const PREFIX: &str = "deploy.";
/// Whose it is: the project's name. On everything of ours.
pub(crate) const PROJECT: &str = "deploy.project";
/// What it is: one of [`INSTANCE`], [`PROXY`], [`AGENT`], [`STATE`], [`OBJECT`].
pub(crate) const KIND: &str = "deploy.kind";
/// Which service.
pub(crate) const SERVICE: &str = "deploy.service";
/// Which release.
pub(crate) const RELEASE: &str = "deploy.release";
/// The release's version, for people.
pub(crate) const VERSION: &str = "deploy.version";
/// An instance's place in its set, from 1.
pub(crate) const ORDINAL: &str = "deploy.ordinal";
/// The deployment that made it.
pub(crate) const DEPLOYMENT: &str = "deploy.deployment";
/// The step that made it.
pub(crate) const STEP: &str = "deploy.step";
/// The fence under which it was made.
pub(crate) const FENCE: &str = "deploy.fence";
/// An object's definition as JSON, as it was asked for.
pub(crate) const SPEC: &str = "deploy.spec";

/// An instance of a service.
pub(crate) const INSTANCE: &str = "instance";
/// A proxy.
pub(crate) const PROXY: &str = "proxy";
/// A short-lived container that holds an agent.
pub(crate) const AGENT: &str = "agent";
/// A network or a volume.
pub(crate) const OBJECT: &str = "object";
/// The volume that holds lease, journal, routes and payloads.
pub(crate) const STATE: &str = "state";

/// Compose's labels, as `docker compose up` sets them and compares them.
pub(crate) mod compose {
    pub(crate) const PROJECT: &str = "com.docker.compose.project";
    pub(crate) const SERVICE: &str = "com.docker.compose.service";
    pub(crate) const NUMBER: &str = "com.docker.compose.container-number";
    pub(crate) const HASH: &str = "com.docker.compose.config-hash";
    pub(crate) const IMAGE: &str = "com.docker.compose.image";
    pub(crate) const DEPENDS_ON: &str = "com.docker.compose.depends_on";
    pub(crate) const VERSION: &str = "com.docker.compose.version";
    pub(crate) const ONEOFF: &str = "com.docker.compose.oneoff";
    pub(crate) const NETWORK: &str = "com.docker.compose.network";
    pub(crate) const VOLUME: &str = "com.docker.compose.volume";
    pub(crate) const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
    pub(crate) const CONFIG_FILES: &str = "com.docker.compose.project.config_files";

    /// The hash of a configuration of which nobody knows how Compose writes it.
    pub(crate) const UNKNOWN_HASH: &str = "unknown";
}

/// The labels that everything of ours in a project carries.
pub(crate) fn ours(project: &str, kind: &str) -> HashMap<String, String> {
    HashMap::from([(PROJECT.to_owned(), project.to_owned()), (KIND.to_owned(), kind.to_owned())])
}

/// A filter for what is ours in a project.
pub(crate) fn filter(project: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{PROJECT}={project}")])])
}
