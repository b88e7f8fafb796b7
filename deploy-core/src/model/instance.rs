use serde::{Deserialize, Serialize};

/// One container, one pod, one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The backend's handle for it. It may change while the instance lives: look it up anew before each use.
    pub name: String,
    /// Its place in its set, from 1.
    pub ordinal: u32,
    /// What it is doing.
    pub state: InstanceState,
    /// How often it was started again.
    pub restarts: u32,
}

/// What an instance is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum InstanceState {
    /// It exists, but was never started, or is about to be started again.
    Starting,
    /// It runs.
    Running,
    /// It was stopped by us and is kept for a fast way back.
    Kept,
    /// It has ended and certainly won't run again by itself.
    Failed {
        /// Why, for people: `exited with status 1`.
        reason: String,
    },
}
