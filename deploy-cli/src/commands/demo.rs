use crate::{
    CommandError, Exit,
    args::{DemoArgs, Globals, Output, TargetName},
    demo::show::{ClusterStage, DemoError, DockerStage, LocalStage, clear_up, play},
    run::Signals,
    wiring,
};
use std::path::{Path, PathBuf};

/// Shows a deployment, and clears up after itself: on the cluster where that is said, else on the Docker Engine where one
/// answers, else on child processes.
///
/// # Errors
/// What kept it from being shown.
pub async fn demo(globals: &Globals, args: &DemoArgs) -> Result<Exit, CommandError> {
    let target = globals.target.unwrap_or_default();
    let foreign = match target {
        // the demo's namespace is its own
        TargetName::Kubernetes => globals.namespace.as_ref().map(|_| "--namespace"),
        _ => args.image.as_ref().map(|_| "--image"),
    };
    if let Some(flag) = foreign.or(globals.foreign(target)) {
        return Err(CommandError::MeaninglessFlag { flag, target });
    }
    let executable = std::env::current_exe().map_err(DemoError::from)?;
    if target == TargetName::Kubernetes {
        return kubernetes(globals, args, executable).await;
    }
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

/// From the first signal on, whatever was made is taken away.
async fn kubernetes(globals: &Globals, args: &DemoArgs, executable: PathBuf) -> Result<Exit, CommandError> {
    let mut signals = Signals::listen().map_err(CommandError::Signals)?;
    let stage = ClusterStage::new(globals, args.image.clone(), executable).await?;
    match stage.create().await {
        Err(DemoError::Namespace(error)) if !error.is_retryable() => return Err(DemoError::Namespace(error).into()),
        Err(error) => return clear_up(&stage, globals.output, Err(error.into())).await,
        Ok(()) => {}
    }
    // not dropped halfway, or the Engine would have it later
    if let Err(error) = stage.import().await {
        return clear_up(&stage, globals.output, Err(error.into())).await;
    }
    let interrupted = tokio::select! {
        biased;
        () = signals.next() => Ok(Exit::Interrupted),
        runs = stage.image_runs() => match runs {
            Ok(()) => return play(&stage, args, globals.output).await,
            Err(error) => Err(error.into()),
        },
    };
    clear_up(&stage, globals.output, interrupted).await
}

async fn docker(globals: &Globals, executable: &Path) -> Result<DockerStage, CommandError> {
    let engine = wiring::engine(globals).await?;
    if engine.address().starts_with("ssh://") {
        return Err(DemoError::Elsewhere { address: engine.address().to_owned() }.into());
    }
    DockerStage::open(engine, executable).await
}
