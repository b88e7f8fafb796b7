use super::State;
use crate::journal::Record;
use crate::model::{DeploymentId, End, Event, Op, ReleaseId, ServiceName, ServiceSpec, Step};
use std::collections::{BTreeMap, BTreeSet};

/// How far back deployments are looked up.
pub(super) const REMEMBERED: usize = 10;

/// What the last deployments tell whoever plans the next one.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// What they knew of their releases.
    pub(super) known: BTreeMap<ReleaseId, ServiceSpec>,
    /// The services that were last changed by a deployment which ended halted or stuck.
    pub(super) doubtful: BTreeSet<ServiceName>,
}

impl Past {
    /// By their records, the newest first.
    pub(super) fn of(last: &[(DeploymentId, Vec<Record>)]) -> Self {
        let (mut past, mut settled) = (Self::default(), BTreeSet::new());
        for (_, records) in last {
            let Some(Event::Planned { plan }) = records.first().map(|record| &record.event) else { continue };
            for spec in &plan.services {
                past.known.entry(spec.release.id.clone()).or_insert_with(|| spec.clone());
            }
            let Ok(Some(state)) = State::replay(records) else { continue };
            let is_bad = match state.end() {
                Some(End::Succeeded) => false,
                Some(End::Halted { .. } | End::Stuck { .. }) => true,
                // all is as it was left by the one before
                Some(End::RolledBack { .. } | End::Cancelled { .. }) | None => continue,
            };
            for service in touched(&state) {
                if settled.insert(service.clone()) && is_bad {
                    past.doubtful.insert(service);
                }
            }
        }
        past
    }
}

/// The services of which a step was started, on the way there or back.
fn touched(state: &State) -> BTreeSet<ServiceName> {
    let steps = state.plan().steps.iter().chain(&state.active().steps);
    let started = steps.filter(|step: &&Step| state.step(&step.id).is_some());
    started.map(|step| &step.op).filter_map(Op::service).cloned().collect()
}
