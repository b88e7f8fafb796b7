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
    run::Leftover,
};
use deploy_core::{
    journal::Journal,
    model::{Payload, Plan, ReleaseId, ServiceSpec},
};
use deploy_k8s::Roles;
use std::{collections::BTreeMap, sync::Arc};

/// What the files say, and where it is to run.
pub(crate) struct Wanted {
    pub(crate) place: Place,
    pub(crate) services: Vec<ServiceSpec>,
    pub(crate) payloads: BTreeMap<ReleaseId, Payload>,
    /// What people should know of all of it.
    pub(crate) notes: Vec<String>,
    /// How it is said of a service that isn't wanted any more and stays; none where the notes name them.
    pub(crate) leftover: Option<Leftover>,
}

/// What is to be taken away.
pub(crate) struct Down {
    pub(crate) project: String,
    /// None where it is down already.
    pub(crate) place: Option<Place>,
    /// The volumes with data that are there.
    pub(crate) data: Vec<String>,
}

/// What a target is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// To show what would be done: who may not do it may still look.
    Look,
    /// To do it: that it is allowed is asked first, where that can be asked.
    Change,
}

/// Reads the files, and has the target ready for what they say.
///
/// # Errors
/// Every problem that the files have, each with its place; no target that answers; what isn't allowed there.
pub(crate) async fn prepare(globals: &Globals, smoke: &[SmokeCheck], intent: Intent) -> Result<Wanted, CommandError> {
    match target(globals)? {
        TargetName::Kubernetes => kubernetes::prepare(globals, smoke, intent).await,
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

/// As [`place`], for what changes things.
///
/// # Errors
/// The same, and what isn't allowed there.
pub(crate) async fn place_to_change(globals: &Globals) -> Result<Place, CommandError> {
    match target(globals)? {
        TargetName::Kubernetes => kubernetes::place_to_change(globals).await,
        _ => docker::place(globals).await,
    }
}

/// The roles that deploying the files needs.
///
/// # Errors
/// Every problem that the files have, each with its place; a target that knows no roles.
pub(crate) async fn roles(globals: &Globals, smoke: &[SmokeCheck]) -> Result<Roles, CommandError> {
    match target(globals)? {
        TargetName::Kubernetes => kubernetes::roles(globals, smoke).await,
        _ => Err(CommandError::NoRoles),
    }
}

/// Where a plan is to run that was made earlier: as it says, unless the command line says otherwise.
///
/// # Errors
/// Where no target answers; what isn't allowed there.
pub(crate) async fn place_of_plan(globals: &Globals, plan: &Plan) -> Result<Place, CommandError> {
    match target(globals)? {
        TargetName::Kubernetes => kubernetes::place_of_plan(globals, plan).await,
        _ => docker::place_of_plan(globals, plan.home.as_str()).await,
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
