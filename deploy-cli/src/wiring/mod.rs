//! The one place that names backends.

mod docker;
mod kubernetes;
mod local;

pub use docker::{docker, engine};
pub use kubernetes::{cluster, kubernetes, namespace};
pub use local::local;

use crate::{
    CommandError, Place, SmokeCheck,
    args::{Globals, TargetName},
};
use deploy_core::{
    journal::Journal,
    model::{Payload, ReleaseId, ServiceSpec},
};
use std::{collections::BTreeMap, sync::Arc};

/// What the files say, and where it is to run.
pub(crate) struct Wanted {
    pub(crate) place: Place,
    pub(crate) services: Vec<ServiceSpec>,
    pub(crate) payloads: BTreeMap<ReleaseId, Payload>,
    /// What people should know of all of it.
    pub(crate) notes: Vec<String>,
}

/// What is to be taken away.
pub(crate) struct Down {
    pub(crate) project: String,
    /// None where it is down already.
    pub(crate) place: Option<Place>,
    /// The volumes with data that are there.
    pub(crate) data: Vec<String>,
}

/// Reads the files, and has the target ready for what they say.
///
/// # Errors
/// Every problem that the files have, each with its place; no target that answers.
pub(crate) async fn prepare(globals: &Globals, smoke: &[SmokeCheck]) -> Result<Wanted, CommandError> {
    match target(globals)? {
        TargetName::Kubernetes => kubernetes::prepare(globals, smoke).await,
        _ => docker::prepare(globals, smoke).await,
    }
}

/// What is meant, for commands that need no file.
///
/// # Errors
/// Where nothing is meant, no target answers, or nothing was deployed there: nothing is made just to look.
pub(crate) async fn place(globals: &Globals) -> Result<Place, CommandError> {
    match target(globals)? {
        TargetName::Kubernetes => kubernetes::place(globals).await,
        _ => docker::place(globals).await,
    }
}

/// Where a plan is to run that was made earlier: as it says, unless the command line says otherwise.
///
/// # Errors
/// Where no target answers.
pub(crate) async fn place_of_plan(globals: &Globals, home: &str) -> Result<Place, CommandError> {
    match target(globals)? {
        TargetName::Kubernetes => kubernetes::place_of_plan(globals, home).await,
        _ => docker::place_of_plan(globals, home).await,
    }
}

/// As [`place`], also where nothing but data is there. No place where that is to stay.
///
/// # Errors
/// Where nothing is meant, or no target answers.
pub(crate) async fn place_to_take_down(globals: &Globals, volumes: bool) -> Result<Down, CommandError> {
    match target(globals)? {
        TargetName::Kubernetes => kubernetes::place_to_take_down(globals, volumes).await,
        _ => docker::place_to_take_down(globals, volumes).await,
    }
}

/// The target that is meant, once every flag means something there.
fn target(globals: &Globals) -> Result<TargetName, CommandError> {
    let target = globals.target.unwrap_or_default();
    match (target, globals.foreign(target)) {
        (TargetName::Local, _) => Err(CommandError::OnlyDemo),
        (target, Some(flag)) => Err(CommandError::MeaninglessFlag { flag, target }),
        (target, None) => Ok(target),
    }
}

fn journal(journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
    #[cfg(feature = "testing")]
    let journal = crate::testing::journal(journal);
    journal
}
