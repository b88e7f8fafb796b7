use super::Op;
use serde::{Deserialize, Serialize};

/// How a step is undone: computed while planning, from the op and the observed world, so that a plan prints its way back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub enum Undo {
    /// There is nothing to undo.
    Nothing,
    /// These, in this order. Each tolerates that the step never ran, or ran halfway.
    Do {
        /// At least one.
        ops: Vec<Op>,
    },
    /// The unwind goes on past it, and says so.
    Keep {
        /// The reason, for people.
        why: String,
    },
    /// The unwind may not cross it.
    Barrier {
        /// The reason, for people.
        why: String,
    },
}
