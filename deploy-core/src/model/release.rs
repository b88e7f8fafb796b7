use super::{ReleaseId, ServiceName};
use serde::{Deserialize, Serialize};

/// What to run for a service: identity only, immutable.
///
/// Artifacts are pulled or built *before* planning, so the id is known to the plan. The configuration itself is the
/// release's [`Payload`], which lives in the target's own store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Unique to service, artifact and configuration.
    pub id: ReleaseId,
    /// Whose release it is.
    pub service: ServiceName,
    /// How people know it: a tag or a commit. Empty where there is none: the deployment's number stands in for it.
    pub version: String,
    /// What runs, by digest: an image id, a command's name.
    pub artifact: String,
}

/// The rendered configuration of a release as text, its secrets included.
///
/// Deliberately neither `Debug` nor `Serialize`, so that it can't slip into a plan, a journal or a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(String);

impl Payload {
    /// Wraps the rendered text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives the secret text away: only for writing it to the target's own store.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
