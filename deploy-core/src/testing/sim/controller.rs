use super::{
    instance::SimInstance,
    state::{SimTime, State},
    violation::Breach,
};
use crate::{
    model::{Pace, ReleaseId, Share, Shares, WorkloadRef},
    target::{Cx, TargetError},
};

/// A replacement in place that is under way.
#[derive(Debug)]
pub(super) struct Rollout {
    from: WorkloadRef,
    to: WorkloadRef,
    pace: Pace,
    looks: SimTime,
}

impl Rollout {
    pub(super) fn is_of(&self, workload: &WorkloadRef) -> bool {
        self.from == *workload || self.to == *workload
    }
}

impl State {
    /// The controller's work: it brings what is there to what is asked for, and takes traffic away before it stops.
    pub(super) fn control(&mut self) {
        let now = self.now;
        for instance in self.sets.values_mut().flat_map(|set| &mut set.instances) {
            instance.seen |= instance.answers(now); // by its own readiness test
        }
        let due = self.sets.iter().filter(|(_, set)| set.looks.is_some_and(|looks| looks <= now));
        let due: Vec<_> = due.map(|(workload, _)| workload.clone()).collect();
        for workload in due {
            self.scale(&workload);
        }
        let services: Vec<_> = self.rollouts.keys().cloned().collect();
        for service in services {
            if let Some(rollout) = self.rollouts.remove(&service)
                && let Some(rollout) = self.roll(rollout)
            {
                self.rollouts.insert(service, rollout);
            }
        }
        let workloads: Vec<_> = self.sets.keys().cloned().collect();
        for workload in workloads {
            for ordinal in self.ordinals(&workload, |instance| instance.leaves_at.is_some_and(|at| at <= now)) {
                self.stop(&workload, ordinal, false);
            }
        }
    }

    fn scale(&mut self, workload: &WorkloadRef) {
        let Some(set) = self.sets.get_mut(workload) else { return };
        set.looks = None;
        let spec = set.spec as usize;
        if self.rollouts.get(&workload.service).is_some_and(|rollout| rollout.is_of(workload)) {
            return;
        }
        let there = self.ordinals(workload, SimInstance::stays);
        for _ in there.len()..spec {
            self.start_new(workload);
        }
        for ordinal in there.into_iter().skip(spec) {
            self.leave_later(workload, ordinal);
        }
    }

    /// One look of a rolling update; what is left of it.
    fn roll(&mut self, rollout: Rollout) -> Option<Rollout> {
        let now = self.now;
        if rollout.looks > now {
            return Some(rollout);
        }
        let Rollout { from, to, pace, .. } = &rollout;
        let wanted = self.sets.get(to).map_or(0, |set| set.spec as usize);
        let surge = if pace.surge == 0 && pace.unavailable == 0 { 1 } else { pace.surge as usize };
        let (old, new) = (self.ordinals(from, SimInstance::stays), self.ordinals(to, SimInstance::stays));
        for _ in new.len()..wanted.min((wanted + surge).saturating_sub(old.len())) {
            self.start_new(to);
        }
        let ready = |instance: &SimInstance| instance.stays() && instance.answers(now);
        let (mut serving, ready_old) = (self.ordinals(to, ready).len(), self.ordinals(from, ready));
        serving += ready_old.len();
        for ordinal in old.iter().rev() {
            if ready_old.contains(ordinal) {
                if serving <= wanted.saturating_sub(pace.unavailable as usize) {
                    continue;
                }
                serving -= 1;
            }
            self.leave_later(from, *ordinal);
        }
        let done = old.is_empty() && new.len() == wanted;
        (!done).then_some(rollout)
    }

    /// Takes an instance out of the traffic, and stops it when that has settled.
    fn leave_later(&mut self, workload: &WorkloadRef, ordinal: u32) {
        self.lose(workload, ordinal);
        let stops = self.now.plus(self.settings.settle);
        if let Some(instance) = self.instance(workload, ordinal) {
            instance.leaves_at = Some(stops);
        }
    }

    /// Has the controller replace one release by another.
    pub(super) fn replace(
        &mut self,
        cx: &Cx,
        to: &WorkloadRef,
        from: &ReleaseId,
        pace: Pace,
    ) -> Result<(), TargetError> {
        self.admit(cx)?;
        let from = WorkloadRef { release: from.clone(), ..to.clone() };
        let count = self.spec(&from);
        if count == 0 {
            return match self.spec(to) {
                0 => Err(TargetError::Conflict { expected: format!("some of {from}"), found: "none".into() }),
                _ => Ok(()),
            };
        }
        self.need_set(cx, to)?;
        for (workload, spec) in [(&from, 0), (to, count)] {
            if let Some(set) = self.sets.get_mut(workload) {
                set.spec = spec;
                set.looks = None;
            }
        }
        let renamed = |share: &Share| Share {
            workload: if share.workload == from { to.clone() } else { share.workload.clone() },
            ..share.clone()
        };
        if let Some(shares) = self.routes.get_mut(&to.service) {
            *shares = Shares::new(shares.iter().map(renamed));
        }
        let looks = self.now.plus(self.settings.controller);
        for workload in [&from, to] {
            if let Some(set) = self.sets.get_mut(workload) {
                set.looks = Some(looks); // so that the world wakes up then
            }
        }
        self.rollouts.insert(to.service.clone(), Rollout { from, to: to.clone(), pace, looks });
        Ok(())
    }

    /// What the owner of the counts asks for by now.
    pub(super) fn write_owned_counts(&mut self) {
        let now = self.now;
        let looks = now.plus(self.settings.controller);
        let due: Vec<_> = self.scripts.counts.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, service, count) in due {
            self.owned.insert(service.clone(), count);
            for set in self.sets.values_mut().filter(|set| set.release.service == service && set.spec > 0) {
                set.spec = count;
                set.looks = Some(looks);
            }
            if let Some(floor) = self.promises.floors.get_mut(&service) {
                *floor = count.min(*floor);
            }
        }
    }

    /// Asks the controller for a set; without a count, for as many instances as their owner wants.
    pub(super) fn ask(&mut self, cx: &Cx, workload: &WorkloadRef, count: Option<u32>) -> Result<(), TargetError> {
        self.admit(cx)?;
        let there = self.spec(workload);
        let owned = self.owned.get(&workload.service).copied();
        let count = match count {
            None if there > 0 => there,
            None => owned.unwrap_or(1),
            Some(written) => {
                let owned = if there > 0 { Some(there) } else { owned };
                if let Some(owned) = owned.filter(|owned| *owned != written) {
                    self.breach(Breach::ForeignCount { workload: workload.clone(), owned, written });
                }
                written
            }
        };
        if there == count {
            return Ok(());
        }
        self.need_set(cx, workload)?;
        let looks = self.now.plus(self.settings.controller);
        if let Some(set) = self.sets.get_mut(workload) {
            set.spec = count;
            set.looks = Some(looks);
        }
        Ok(())
    }

    pub(super) fn spec(&self, workload: &WorkloadRef) -> u32 {
        self.sets.get(workload).map_or(0, |set| set.spec)
    }
}
