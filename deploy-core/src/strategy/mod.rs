//! The trait Strategy: in what order. *Recreate*, *rolling* and *blue-green*.

mod blue_green;
mod builder;
mod line;
mod lodgers;
mod recreate;
mod rolling;
mod situation;

pub(crate) use builder::{MAKE, SLACK, await_deadline};
pub(crate) use line::{check_deadline, drain_deadline, stop_deadline};

pub use blue_green::BlueGreen;
pub use recreate::Recreate;
pub use rolling::Rolling;

use crate::model::{Capabilities, Plan, PlanError, ReleaseId, ServiceName, ServiceSpec, TargetId, World};
use std::collections::{BTreeMap, BTreeSet};

/// All that a planner may know.
#[derive(Clone, Debug)]
pub struct PlanInput {
    /// The target whose journal and lease are used, and where the services run.
    pub home: TargetId,
    /// What is to run.
    pub wanted: Vec<ServiceSpec>,
    /// What is there.
    pub world: World,
    /// What earlier deployments knew of the releases that are there: how an old one is checked on the way back.
    pub known: BTreeMap<ReleaseId, ServiceSpec>,
    /// Services that were last changed by a deployment which ended halted or stuck. What is asked for of them was perhaps
    /// never seen healthy; what no requests are sent to may have served before, and may still have requests in flight.
    pub doubtful: BTreeSet<ServiceName>,
    /// What each target can do.
    pub capabilities: BTreeMap<TargetId, Capabilities>,
}

/// The head: in what order. Handed no target, so it can do no I/O; it has no clock and no randomness.
///
/// # Guarantees
/// The same input yields the same plan. What is unchanged gets no step.
///
/// # Errors
/// [`PlanError`] where the strategy can't deploy what is wanted.
pub trait Strategy: Send + Sync {
    /// Its name: `rolling`.
    fn name(&self) -> &str;

    /// Plans from what is wanted and what is there.
    fn plan(&self, input: &PlanInput) -> Result<Plan, PlanError>;
}

/// The built-in strategy of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Strategy> {
    let all: [&'static dyn Strategy; 3] = [&Rolling, &BlueGreen, &Recreate];
    all.into_iter().find(|strategy| strategy.name() == name)
}
