use crate::{
    CommandError, Exit, Place,
    args::{Output, RunArgs},
    run::{Conduct, Work},
};

/// Carries the interrupted deployment on; its configurations lie in the target's store.
///
/// # Errors
/// Where there is none, or the engine had to stop.
pub async fn resume(place: &Place, args: &RunArgs, output: Output) -> Result<Exit, CommandError> {
    Conduct::new(place, output, args).run(Work::Resume).await
}
