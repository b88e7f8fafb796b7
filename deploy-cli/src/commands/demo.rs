use crate::{
    CommandError, Exit,
    args::{DemoArgs, Globals, Output, TargetName},
    demo::show::{DemoError, DockerStage, LocalStage, play},
    wiring,
};
use std::path::Path;

/// Shows a deployment, and clears up after itself: on the Docker Engine where one answers, else on child processes.
///
/// # Errors
/// What kept it from being shown.
pub async fn demo(globals: &Globals, args: &DemoArgs) -> Result<Exit, CommandError> {
    if globals.target == Some(TargetName::Kubernetes) {
        return Err(CommandError::NoDemo);
    }
    let executable = std::env::current_exe().map_err(DemoError::from)?;
    if globals.target != Some(TargetName::Local) {
        match docker(globals, &executable).await {
            Ok(stage) => return play(&stage, args, globals.output).await,
            Err(error) if globals.target == Some(TargetName::Docker) => return Err(error),
            Err(error) if globals.output != Output::Json => eprintln!("Without Docker, because {}.", error.explain()),
            Err(_) => {}
        }
    }
    play(&LocalStage::open(executable).await?, args, globals.output).await
}

async fn docker(globals: &Globals, executable: &Path) -> Result<DockerStage, CommandError> {
    let engine = wiring::engine(globals).await?;
    if engine.address().starts_with("ssh://") {
        return Err(DemoError::Elsewhere { address: engine.address().to_owned() }.into());
    }
    DockerStage::open(engine, executable).await
}
