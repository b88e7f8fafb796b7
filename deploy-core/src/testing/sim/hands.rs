use super::{
    instance::{SimInstance, Status},
    state::{Set, State},
    violation::Breach,
};
use crate::{
    model::{Object, ObjectRef, Release, ReleaseId, ServiceName, WorkloadRef},
    target::{Cx, TargetError},
};

impl Set {
    pub(super) fn new(release: Release, spec: u32) -> Self {
        Self { release, made_by: None, fence: None, spec, looks: None, instances: Vec::new() }
    }
}

/// The kind of objects through which the requests of the service of their name come.
pub(super) const PROXY: &str = "proxy";

/// The changes that a target asks for.
impl State {
    pub(super) fn apply(&mut self, cx: &Cx, object: &Object) -> Result<(), TargetError> {
        self.admit(cx)?;
        let service = ServiceName::new(object.object.name.clone());
        let is_direct = |workload: &WorkloadRef, set: &Set| {
            workload.service == service
                && self.scripts.direct.contains(&workload.release)
                && set.instances.iter().any(|one| one.is_live())
        };
        if object.object.kind == PROXY && self.sets.iter().any(|(workload, set)| is_direct(workload, set)) {
            let why = format!("the instances of {service} have its names and ports; stop them first");
            return Err(TargetError::Rejected { why });
        }
        self.objects.insert(object.object.clone(), object.clone());
        Ok(())
    }

    pub(super) fn delete(&mut self, cx: &Cx, object: &ObjectRef) -> Result<(), TargetError> {
        self.admit(cx)?;
        let service = ServiceName::new(object.name.clone());
        let was_there = self.objects.remove(object).is_some();
        if was_there && object.kind == PROXY && !self.shares(&service).is_empty() {
            self.breach(Breach::Unanswered { service });
        }
        Ok(())
    }

    pub(super) fn store(&mut self, cx: &Cx, release: &Release) -> Result<(), TargetError> {
        self.admit(cx)?;
        self.stored.insert(release.id.clone(), release.clone());
        Ok(())
    }

    /// Makes the set be there, without an instance if it is new.
    pub(super) fn need_set(&mut self, cx: &Cx, workload: &WorkloadRef) -> Result<(), TargetError> {
        let Some(release) = self.stored.get(&workload.release).cloned() else {
            let why = format!("the configuration of {} isn't stored; store it first", workload.release);
            return Err(TargetError::Rejected { why });
        };
        let proxy = |object: &ObjectRef| object.kind == PROXY && object.name == workload.service.as_str();
        if self.scripts.direct.contains(&workload.release) && self.objects.keys().any(proxy) {
            let why = format!("the names and ports of {} are its proxy's; delete that first", workload.service);
            return Err(TargetError::Rejected { why });
        }
        let set = self.sets.entry(workload.clone()).or_insert_with(|| Set::new(release, 0));
        set.made_by = Some((cx.deployment, cx.step.clone()));
        set.fence = Some(cx.fence);
        Ok(())
    }

    /// On a host: starts or stops one instance. Whether that was not needed any more.
    pub(super) fn one_nearer(&mut self, cx: &Cx, workload: &WorkloadRef, count: u32) -> Result<bool, TargetError> {
        self.admit(cx)?;
        let live = self.ordinals(workload, SimInstance::is_live);
        if live.len() == count as usize {
            return Ok(true);
        }
        if live.len() > count as usize {
            live.last().iter().for_each(|last| self.stop(workload, **last, true));
            return Ok(false);
        }
        self.need_set(cx, workload)?;
        match self.ordinals(workload, |instance| instance.status == Status::Kept).first() {
            Some(kept) => self.revive(workload, *kept),
            None => self.start_new(workload),
        }
        Ok(false)
    }

    pub(super) fn remove(&mut self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError> {
        self.admit(cx)?;
        let cluster = self.is_cluster();
        if self.rollouts.get(&workload.service).is_some_and(|rollout| rollout.is_of(workload)) {
            self.rollouts.remove(&workload.service);
        }
        for ordinal in self.ordinals(workload, |_| true) {
            let kept = self.instance(workload, ordinal).is_some_and(|instance| instance.status == Status::Kept);
            if !(kept && keep) {
                self.stop(workload, ordinal, keep && !cluster);
            }
        }
        if let Some(set) = self.sets.get_mut(workload) {
            set.spec = 0;
            set.looks = None;
            if cluster && !keep {
                self.sets.remove(workload);
            }
        }
        Ok(())
    }

    /// Forgets the releases of a service of which nothing is asked for and nothing routed, but the newest ones.
    pub(super) fn discard(&mut self, cx: &Cx, release: &ReleaseId) -> Result<(), TargetError> {
        self.admit(cx)?;
        self.stored.remove(release);
        Ok(())
    }

    pub(super) fn prune(&mut self, cx: &Cx, service: &ServiceName, keep: usize) -> Result<(), TargetError> {
        self.admit(cx)?;
        let used = |workload: &WorkloadRef, set: &Set| {
            let live = set.instances.iter().any(SimInstance::is_asked);
            live || set.spec > 0 || self.shares(service).of(workload).is_some()
        };
        let sets = self.sets.iter().filter(|(workload, set)| workload.service == *service && !used(workload, set));
        let mut idle: Vec<_> = sets.map(|(workload, set)| (set.fence, workload.clone())).collect();
        idle.sort();
        for (_, workload) in idle.iter().rev().skip(keep) {
            self.sets.remove(workload);
            self.stored.remove(&workload.release);
        }
        Ok(())
    }
}
