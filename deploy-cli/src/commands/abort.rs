use crate::{
    CommandError, Exit, Place,
    args::{Output, RunArgs},
    run::{Conduct, Work},
};

/// Takes the interrupted deployment back.
///
/// # Errors
/// Where there is none, or the engine had to stop.
pub async fn abort(place: &Place, args: &RunArgs, output: Output) -> Result<Exit, CommandError> {
    Conduct::new(place, output, args).run(Work::Abort).await
}
