//! The trait Rollback: a second planner, for the way back.

use crate::{
    journal::Record,
    model::{Plan, PlanError},
    strategy::PlanInput,
};

/// Plans the way back from a deployment's record. *When* to go back is each step's
/// [`OnFailure`](crate::model::OnFailure), or a person's command.
pub trait Rollback: Send + Sync {
    /// Its name: `unwind`.
    fn name(&self) -> &str;

    /// Plans from what happened and what is there.
    ///
    /// # Errors
    /// [`PlanError`] where there is no way back.
    fn plan(&self, record: &[Record], input: &PlanInput) -> Result<Plan, PlanError>;
}
