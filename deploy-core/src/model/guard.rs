use super::{GuardId, Millis, Named, OnFailure, StepId, WorkloadRef};
use serde::{Deserialize, Serialize};

/// A watch that runs beside the steps: a bake, "the old one still serves".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// Unique in the plan.
    pub id: GuardId,
    /// What it looks at.
    pub watch: Watch,
    /// Watches from the end of this step…
    pub from: StepId,
    /// …to the end of this one.
    pub until: StepId,
    /// What its failure means.
    pub on_failure: OnFailure,
}

/// What a guard looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "watch", rename_all = "kebab-case")]
pub enum Watch {
    /// Every instance stays healthy.
    Check {
        /// Whose instances.
        workload: WorkloadRef,
        /// How one is looked at.
        check: Named,
        /// The pause between two looks.
        interval: Millis,
        /// Failures in a row until it counts; at least one. What is certain counts at once.
        failures: u32,
    },
}
