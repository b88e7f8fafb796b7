use super::{End, Fence, GuardId, Plan, StepId, TargetId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What happened to a deployment: its state is a fold over these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first event: what will be done.
    Planned {
        /// Whole.
        plan: Box<Plan>,
    },
    /// A deployer took the leases; first after `Planned`, and again by each one that carries on.
    LeaseTaken {
        /// The fence of each target.
        fences: BTreeMap<TargetId, Fence>,
        /// Who took them, for people.
        holder: String,
    },
    /// Durable before the step's side effect.
    StepStarted {
        /// Which one.
        step: StepId,
    },
    /// The step has ended.
    StepEnded {
        /// Which one.
        step: StepId,
        /// How.
        outcome: Outcome,
    },
    /// A guard saw what it watches for.
    GuardFailed {
        /// Which one.
        guard: GuardId,
        /// What it saw.
        reason: String,
    },
    /// From here on the way back is gone.
    Unwinding {
        /// The way back, a plan of its own.
        plan: Box<Plan>,
        /// Why.
        reason: String,
    },
    /// The lease was given back before the end; the same command carries on.
    Suspended {
        /// Why.
        reason: String,
    },
    /// The last event.
    Ended(End),
    /// An event of a newer version, kept as it was read.
    #[serde(untagged)]
    Unknown(Value),
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// We did it.
    Applied,
    /// It was done already, by us: an earlier process of this deployment.
    Resumed,
    /// It was done already, by somebody else: never undone by us.
    Coincided,
    /// It failed; its effect may be there in part.
    Failed {
        /// Why, for people.
        reason: String,
    },
    /// The world was neither as before nor as after.
    Conflict {
        /// What should have been true.
        expected: String,
        /// What is there instead.
        found: String,
    },
}

impl Outcome {
    /// Whether the step's effect is there.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Applied | Self::Resumed | Self::Coincided)
    }
}

impl Event {
    /// The kinds that this version knows: one of these that doesn't parse is corrupt, not new.
    pub const KINDS: [&'static str; 8] =
        ["planned", "lease-taken", "step-started", "step-ended", "guard-failed", "unwinding", "suspended", "ended"];
}
