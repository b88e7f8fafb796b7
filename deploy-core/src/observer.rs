//! What the engine tells while it works: its only output.

use crate::{
    journal::Record,
    model::{DeploymentId, GuardId, Millis, StepId},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One thing told: progress bars, JSON output, audit and history are its readers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Notice {
    /// It stands in the journal; what a step or a guard came to is told just before it does.
    Event {
        /// Of which deployment.
        deployment: DeploymentId,
        /// As it stands there.
        record: Box<Record>,
    },
    /// It doesn't, and needs not.
    Progress(Progress),
}

/// Something passing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "kebab-case")]
pub enum Progress {
    /// Somebody else deploys; we wait.
    LeaseHeld {
        /// Who.
        holder: String,
        /// Until the lease expires, if it isn't renewed.
        left: Millis,
        /// How long we go on waiting.
        wait: Millis,
    },
    /// A check has looked.
    Health {
        /// For which step.
        step: StepId,
        /// Instances that are healthy.
        healthy: u32,
        /// Instances there should be.
        of: u32,
        /// The last answer that wasn't healthy.
        last: Option<String>,
        /// Until the deadline.
        left: Millis,
    },
    /// A guard has looked.
    Watched {
        /// Which one.
        guard: GuardId,
        /// What it saw, if that wasn't healthy.
        trouble: Option<String>,
    },
    /// A call failed and is tried again.
    Retry {
        /// For which step.
        step: StepId,
        /// What failed.
        why: String,
    },
    /// A new instance's last words, after a failure.
    Log {
        /// Whose.
        instance: String,
        /// Oldest first.
        lines: Vec<String>,
    },
    /// Something that people should know.
    Warning {
        /// What.
        text: String,
    },
}

/// Who is told. It must not block.
pub type Observer = Arc<dyn Fn(&Notice) + Send + Sync>;
