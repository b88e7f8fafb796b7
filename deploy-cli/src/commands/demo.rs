use crate::{
    CommandError, Exit,
    args::{DemoArgs, Globals},
    demo::show::{DemoError, LocalStage, play},
};

/// Shows a deployment, and clears up after itself.
///
/// # Errors
/// What kept it from being shown.
pub async fn demo(globals: &Globals, args: &DemoArgs) -> Result<Exit, CommandError> {
    let executable = std::env::current_exe().map_err(DemoError::from)?;
    let stage = LocalStage::open(executable).await?;
    play(&stage, args, globals.output).await
}
