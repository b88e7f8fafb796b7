use serde::{Deserialize, Serialize};
use std::fmt;

/// A deployment's number: counted up from 1 on its home target, under the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentId(pub u64);

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum End {
    /// The new releases serve.
    Succeeded,
    /// Something failed, or a person said so, and what it changed was taken back: the old releases serve.
    RolledBack {
        /// What made it go back.
        why: String,
    },
    /// It ended before it changed anything; at most a release's configuration was stored.
    Cancelled {
        /// What made it end.
        why: String,
    },
    /// It stopped where it stands, because going back might do harm.
    Halted {
        /// What failed.
        why: String,
    },
    /// The way back failed too: a person is needed.
    Stuck {
        /// What failed.
        why: String,
    },
}
