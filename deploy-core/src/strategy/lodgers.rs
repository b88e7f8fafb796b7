//! Services whose instances live in those of another service.

use super::{PlanInput, builder::Builder, line::Line};
use crate::model::{ServiceName, ServiceSpec, StepId};
use std::collections::BTreeSet;

impl Builder<'_> {
    /// Ends what lives in a service's instances before those end; yields what that must wait for. What was ended goes on
    /// when its service's turn comes. `come_back`: the way back runs those instances again, and then what lived in them.
    pub(super) fn end_lodgers(&mut self, of: &ServiceName, come_back: bool, after: Vec<StepId>) -> Vec<StepId> {
        let input = self.input;
        let lodgers = input.wanted.iter().filter(|spec| spec.release.service != *of && lives_in(input, spec, of));
        let mut ends = after.clone();
        for lodger in lodgers.map(|spec| &spec.release.service) {
            let Some(mut pending) = self.pending.remove(lodger) else {
                // its old ones ended when its turn was
                ends.extend(self.healthy.get(lodger).into_iter().flatten().cloned());
                continue;
            };
            if pending.situation.runs() {
                pending.after.clone_from(&after);
                let mut line = Line::new(self, pending);
                line.move_out(come_back);
                pending = line.rest();
            }
            ends.extend(pending.after.iter().cloned());
            self.pending.insert(lodger.clone(), pending);
        }
        let mut met = BTreeSet::new();
        ends.retain(|step| met.insert(step.clone()));
        ends
    }
}

/// Whether something that runs of a service lives in another's instances.
fn lives_in(input: &PlanInput, spec: &ServiceSpec, other: &ServiceName) -> bool {
    let running = input.world.of_service(&spec.release.service).filter(|there| there.asked > 0);
    running
        .map(|there| input.known.get(&there.workload.release).unwrap_or(spec))
        .any(|known| known.lives_in.contains(other))
}
