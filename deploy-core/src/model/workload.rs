use super::{ReleaseId, ServiceName, TargetId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The instances of one release of one service on one target.
///
/// Symbolic: never a container's or pod's id, because new ones don't exist while planning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkloadRef {
    /// Where it runs.
    pub target: TargetId,
    /// Whose instances they are.
    pub service: ServiceName,
    /// What they run.
    pub release: ReleaseId,
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.target, self.release)
    }
}
