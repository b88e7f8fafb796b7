use super::{Expect, Millis, Op, StepId, Undo};
use serde::{Deserialize, Serialize};

/// One op, with what it expects and how it is undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique in the plan.
    pub id: StepId,
    /// The heading under which people read it.
    pub stage: String,
    /// The order: steps that end before this one starts. What doesn't depend on each other runs side by side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepId>,
    /// What it does.
    pub op: Op,
    /// What must be true before.
    pub expect: Expect,
    /// The way back.
    pub undo: Undo,
    /// What its failure means.
    pub on_failure: OnFailure,
    /// How long it may take.
    pub deadline: Millis,
}

impl Step {
    /// What it does, and what undoing it does.
    pub(crate) fn ops(&self) -> impl Iterator<Item = &Op> {
        let back = match &self.undo {
            Undo::Do { ops } => ops.as_slice(),
            Undo::Nothing | Undo::Keep { .. } | Undo::Barrier { .. } => &[],
        };
        std::iter::once(&self.op).chain(back)
    }
}

/// What a failure means for the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Go back.
    Unwind,
    /// Stop where it stands: going back might take the only healthy version away.
    Halt,
    /// Go on, and say so.
    Continue,
}
