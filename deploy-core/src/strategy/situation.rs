use super::PlanInput;
use crate::model::{Capabilities, Count, InstanceState, ReleaseId, ServiceSpec, Shares, WorkloadRef};

/// A service as it stands: what is wanted of it, and what there is.
pub(super) struct Situation<'a> {
    pub(super) spec: &'a ServiceSpec,
    pub(super) new: WorkloadRef,
    /// How many instances of the new release are asked for already.
    pub(super) new_asked: u32,
    /// Whether the new release is an earlier one that was kept, or runs already: then a way back must not remove it.
    pub(super) new_known: bool,
    /// Whether one of its instances has ended: it is asked for, and doesn't run.
    pub(super) new_failed: bool,
    /// The other releases that run.
    pub(super) olds: Vec<Old<'a>>,
    /// Whether somebody answers by way of a router already: otherwise clients may reach old ones directly.
    pub(super) is_routed: bool,
    /// Whether the last deployment left it in a state that a person was told to look at.
    pub(super) is_doubtful: bool,
    /// Who answers now; nobody where nothing routes.
    pub(super) shares: Shares,
    pub(super) can: Capabilities,
}

/// A release that runs and isn't wanted any more.
pub(super) struct Old<'a> {
    pub(super) workload: WorkloadRef,
    pub(super) asked: u32,
    /// How many of its instances answer requests.
    pub(super) serving: u32,
    /// How it is looked at on the way back.
    pub(super) spec: &'a ServiceSpec,
}

impl<'a> Situation<'a> {
    pub(super) fn of(input: &'a PlanInput, spec: &'a ServiceSpec) -> Self {
        let service = &spec.release.service;
        let workload = |release: &ReleaseId| WorkloadRef {
            target: input.home.clone(),
            service: service.clone(),
            release: release.clone(),
        };
        let new = workload(&spec.release.id);
        let shares = spec.router.as_ref().map(|router| input.world.shares(router, service)).unwrap_or_default();
        let olds = input.world.of_service(service).filter(|there| there.workload != new && there.asked > 0);
        let olds = olds.map(|there| Old {
            workload: there.workload.clone(),
            asked: there.asked,
            serving: match shares.of(&there.workload) {
                None => 0,
                Some(share) => share.instances.unwrap_or(there.asked).min(there.asked),
            },
            spec: input.known.get(&there.workload.release).unwrap_or(spec),
        });
        Self {
            spec,
            new_asked: input.world.asked(&new),
            new_known: input.world.workload(&new).is_some(),
            new_failed: input.world.workload(&new).is_some_and(|there| {
                there.live().any(|instance| matches!(instance.state, InstanceState::Failed { .. }))
            }),
            olds: olds.collect(),
            is_routed: !shares.is_empty(),
            is_doubtful: input.doubtful.contains(service),
            new,
            shares,
            can: input.capabilities.get(&input.home).copied().unwrap_or_default(),
        }
    }

    /// The count to work with: where it isn't ours, what is there.
    pub(super) fn count(&self) -> u32 {
        let there = || self.olds.iter().map(|old| old.asked).sum::<u32>().max(self.new_asked).max(1);
        match &self.spec.count {
            Count::Exactly(count) if !self.can.owns_counts => *count,
            Count::AsServing(release) => {
                let serving = self.olds.iter().find(|old| old.workload.release == *release).map(|old| old.asked);
                serving.unwrap_or_else(there)
            }
            _ => there(),
        }
    }

    /// Whether requests may be in flight at an old set.
    pub(super) fn may_have_requests(&self, old: usize) -> bool {
        self.is_doubtful || self.olds[old].serving > 0
    }

    /// Whether nobody wants an old set back: a router knows the service, and sends nothing there.
    pub(super) fn is_leftover(&self, old: usize) -> bool {
        self.is_routed && !self.is_doubtful && self.olds[old].serving == 0
    }

    /// Everything to the new release.
    pub(super) fn promoted(&self) -> Shares {
        Shares::all_to(self.new.clone(), (!self.can.owns_counts).then(|| self.count()))
    }

    /// Nothing is left to do but perhaps objects. What was left in doubt is looked at first.
    pub(super) fn is_unchanged(&self) -> bool {
        let counted = self.can.owns_counts && self.new_asked > 0 || self.new_asked == self.count();
        let routed = self.spec.router.is_none() || self.shares == self.promoted();
        !self.is_doubtful && self.olds.is_empty() && counted && routed && (self.can.owns_counts || !self.new_failed)
    }
}
