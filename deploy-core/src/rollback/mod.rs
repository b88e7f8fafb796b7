//! The trait Rollback: a second planner, for the way back.

mod unwind;

pub use unwind::Unwind;
pub(crate) use unwind::{is_ours, undo_of};

use crate::{
    engine::State,
    model::{Plan, PlanError},
};

/// Plans the way back from what a deployment did. *When* to go back is each step's
/// [`OnFailure`](crate::model::OnFailure), or a person's command.
///
/// # Guarantees
/// The same state yields the same plan.
pub trait Rollback: Send + Sync {
    /// Its name: `unwind`.
    fn name(&self) -> &str;

    /// Plans from what happened.
    ///
    /// # Errors
    /// [`PlanError`] where there is no way back.
    fn plan(&self, state: &State) -> Result<Plan, PlanError>;
}
