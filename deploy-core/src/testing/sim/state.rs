use super::{
    behaviour::Behaviour,
    controller::Rollout,
    instance::{SimInstance, Status},
    rng::Rng,
    settings::{Personality, SimSettings},
    violation::{Breach, Violation},
};
use crate::{
    lease::LeaseEnd,
    model::{DeploymentId, Fence, Millis, Object, ObjectRef, Release, ReleaseId, ServiceName, Shares, StepId},
    model::{RouterId, TargetId, WorkloadRef},
    target::{Cx, TargetError},
};
use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds since the world began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SimTime(pub(super) u64);

impl SimTime {
    pub(super) fn plus(self, time: Millis) -> Self {
        Self(self.0.saturating_add(time.0))
    }
}

/// Everything there is. It changes by calls, and by time: whoever looks brings it up to now first, event by event.
#[derive(Debug)]
pub(super) struct State {
    pub(super) target: TargetId,
    pub(super) router: RouterId,
    pub(super) settings: SimSettings,
    pub(super) rng: Rng,
    pub(super) now: SimTime,
    pub(super) sets: BTreeMap<WorkloadRef, Set>,
    pub(super) routes: BTreeMap<ServiceName, Shares>,
    /// The releases whose payloads were stored; nobody here reads a payload.
    pub(super) stored: BTreeMap<ReleaseId, Release>,
    pub(super) objects: BTreeMap<ObjectRef, Object>,
    pub(super) rollouts: BTreeMap<ServiceName, Rollout>,
    /// In a cluster, how large their owner wants a service's sets.
    pub(super) owned: BTreeMap<ServiceName, u32>,
    pub(super) lease: Keeper,
    /// Changes under an older fence are refused.
    pub(super) stamped: Fence,
    pub(super) scripts: Scripts,
    /// What the deployer is bound by.
    pub(super) promises: Promises,
    pub(super) cause: String,
    pub(super) violations: Vec<Violation>,
}

/// The instances of one release.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) release: Release,
    pub(super) made_by: Option<(DeploymentId, StepId)>,
    pub(super) fence: Option<Fence>,
    /// In a cluster, what is asked for; on a host that is what is there.
    pub(super) spec: u32,
    /// When the controller next looks.
    pub(super) looks: Option<SimTime>,
    pub(super) instances: Vec<SimInstance>,
}

/// The lease and its history.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    pub(super) newest: Fence,
    pub(super) holder: Option<Holder>,
    /// Fences whose predecessor may still live, and that haven't adopted.
    pub(super) unadopted: BTreeSet<Fence>,
}

#[derive(Debug)]
pub(super) struct Holder {
    pub(super) name: String,
    pub(super) expires: SimTime,
    pub(super) abandoned: bool,
}

/// What will happen by itself.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    pub(super) behaviours: BTreeMap<(ReleaseId, Option<u32>), Behaviour>,
    /// Releases that are reached without their service's proxy.
    pub(super) direct: BTreeSet<ReleaseId>,
    /// Counts that their owner will ask for.
    pub(super) counts: Vec<(SimTime, ServiceName, u32)>,
}

#[derive(Debug, Default)]
pub(super) struct Promises {
    pub(super) floors: BTreeMap<ServiceName, u32>,
    /// What is left of each floor after instances fell by themselves, and how many had fallen when that was looked at.
    pub(super) left: BTreeMap<ServiceName, (u32, u32)>,
    /// Services that are below their floor, and for which that was written down.
    pub(super) below: BTreeSet<ServiceName>,
    pub(super) exclusive: BTreeSet<ServiceName>,
    /// Exclusive services for which two at once was written down.
    pub(super) doubled: BTreeSet<ServiceName>,
    /// Services of which three releases are asked for, and for which that was written down.
    pub(super) crowded: BTreeSet<ServiceName>,
    /// Services that nothing is routed to: an instance serves when it is healthy.
    pub(super) unrouted: BTreeSet<ServiceName>,
}

impl State {
    pub(super) fn new(target: TargetId, settings: SimSettings) -> Self {
        Self {
            router: RouterId::new(target.as_str()),
            target,
            rng: Rng::new(settings.seed),
            settings,
            now: SimTime::default(),
            sets: BTreeMap::new(),
            routes: BTreeMap::new(),
            stored: BTreeMap::new(),
            objects: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            owned: BTreeMap::new(),
            lease: Keeper::default(),
            stamped: Fence::default(),
            scripts: Scripts::default(),
            promises: Promises::default(),
            cause: String::new(),
            violations: Vec::new(),
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.settings.personality == Personality::Cluster
    }

    /// Lets everything happen that happens until then.
    pub(super) fn advance(&mut self, to: SimTime) {
        while let Some(at) = self.next_change().filter(|at| *at <= to) {
            self.now = at;
            self.cause = "time passed".into();
            self.check_promises(); // what fell by itself has fallen before anybody reacts
            self.settle();
        }
        self.now = self.now.max(to);
    }

    /// When something happens next by itself.
    pub(super) fn next_change(&self) -> Option<SimTime> {
        let instances = self.sets.values().flat_map(|set| &set.instances).flat_map(|instance| instance.next(self.now));
        let looks = self.sets.values().filter_map(|set| set.looks);
        let counts = self.scripts.counts.iter().map(|(at, ..)| *at);
        instances.chain(looks).chain(counts).filter(|at| *at > self.now).min()
    }

    /// Brings everything up to the present moment, and looks whether every promise is kept.
    pub(super) fn settle(&mut self) {
        self.finish_stops();
        if self.is_cluster() {
            self.write_owned_counts();
            self.control();
        }
        self.join();
        self.check_promises();
    }

    fn finish_stops(&mut self) {
        let now = self.now;
        for set in self.sets.values_mut() {
            for instance in &mut set.instances {
                if matches!(instance.status, Status::Stopping { until, keep: true } if until <= now) {
                    instance.status = Status::Kept;
                }
            }
            set.instances
                .retain(|instance| !matches!(instance.status, Status::Stopping { until, keep: false } if until <= now));
        }
        if !self.is_cluster() {
            self.sets.retain(|_, set| !set.instances.is_empty());
        }
    }

    pub(super) fn breach(&mut self, breach: Breach) {
        self.violations.push(Violation { at: Millis(self.now.0), call: self.cause.clone(), breach });
    }

    /// Lets a change in, or refuses it as stale.
    pub(super) fn admit(&mut self, cx: &Cx) -> Result<(), TargetError> {
        let newest = self.stamped;
        if cx.fence < newest {
            return Err(TargetError::Fenced { ours: cx.fence, newest });
        }
        if self.lease.unadopted.contains(&cx.fence) {
            self.breach(Breach::Unadopted { fence: cx.fence });
        }
        if self.is_cluster() {
            self.stamped = cx.fence;
        }
        Ok(())
    }

    /// From here on, nothing of an older fence has an effect.
    pub(super) fn adopt(&mut self, cx: &Cx, _before: LeaseEnd) -> Result<(), TargetError> {
        self.lease.unadopted.remove(&cx.fence);
        self.admit(cx)?;
        self.stamped = cx.fence;
        for instance in self.sets.values_mut().flat_map(|set| &mut set.instances) {
            let stem = instance.name.split('@').next().unwrap_or_default();
            instance.name = format!("{stem}@{}", cx.fence.0);
        }
        Ok(())
    }

    /// The behaviour of an instance that starts now.
    pub(super) fn behaviour(&mut self, release: &ReleaseId, ordinal: u32) -> Behaviour {
        let scripts = &self.scripts.behaviours;
        let script = scripts.get(&(release.clone(), Some(ordinal))).or_else(|| scripts.get(&(release.clone(), None)));
        let script = script.copied().unwrap_or(Behaviour::GOOD);
        let late = self.rng.up_to(script.healthy.unwrap_or(script.starts).0 / 2);
        Behaviour {
            starts: script.starts.plus(Millis(late)),
            healthy: script.healthy.map(|healthy| healthy.plus(Millis(late))),
            ..script
        }
    }

    pub(super) fn start_new(&mut self, workload: &WorkloadRef) {
        let Some(set) = self.sets.get(workload) else { return };
        let taken: BTreeSet<u32> = set.instances.iter().map(|instance| instance.ordinal).collect();
        let ordinal = (1..).find(|ordinal| !taken.contains(ordinal)).unwrap_or(u32::MAX);
        let behaviour = self.behaviour(&workload.release, ordinal);
        let mut instance = SimInstance {
            name: format!("{}-{ordinal}", workload.release),
            ordinal,
            behaviour,
            started: self.now,
            status: Status::Live,
            seen: false,
            traffic: Default::default(),
            leaves_at: None,
        };
        instance.start(self.now, behaviour);
        let Some(set) = self.sets.get_mut(workload) else { return };
        set.instances.push(instance);
        set.instances.sort_by_key(|instance| instance.ordinal);
    }

    /// Starts a kept instance again.
    pub(super) fn revive(&mut self, workload: &WorkloadRef, ordinal: u32) {
        let behaviour = self.behaviour(&workload.release, ordinal);
        let now = self.now;
        let instances = self.sets.get_mut(workload).into_iter().flat_map(|set| &mut set.instances);
        for instance in instances.filter(|instance| instance.ordinal == ordinal) {
            instance.start(now, behaviour);
        }
    }

    /// Tells an instance to stop.
    pub(super) fn stop(&mut self, workload: &WorkloadRef, ordinal: u32, keep: bool) {
        let (now, request, counted) = (self.now, self.settings.request, !self.is_cluster());
        let instances = self.sets.get_mut(workload).into_iter().flat_map(|set| &mut set.instances);
        let Some(instance) = instances.into_iter().find(|instance| instance.ordinal == ordinal) else { return };
        if let Status::Stopping { until, keep: kept } = instance.status {
            instance.status = Status::Stopping { until, keep: keep && kept };
            return;
        }
        let alive = instance.answers(now);
        let busy = instance.gets(now) || counted && instance.quiet(request).is_some_and(|quiet| quiet > now);
        let until = match instance.is_live() {
            true => now.plus(instance.behaviour.stops),
            false => now,
        };
        instance.status = Status::Stopping { until, keep };
        instance.traffic = Default::default();
        instance.leaves_at = None;
        let name = instance.name.clone();
        if alive && busy {
            self.breach(Breach::LostRequests { instance: name });
        }
    }

    pub(super) fn check_promises(&mut self) {
        for (service, promised) in self.promises.floors.clone() {
            let (serving, fell) = self.serving(&service);
            // what falls by itself is forgiven, also once it was taken away, until others serve in its place
            let (left, fell_before) = self.promises.left.get(&service).copied().unwrap_or((promised, 0));
            let left = left.saturating_sub(fell.saturating_sub(fell_before));
            let kept = serving >= left || serving + fell >= promised;
            let next = if kept { serving.min(promised) } else { left };
            self.promises.left.insert(service.clone(), (next, fell));
            if kept {
                self.promises.below.remove(&service);
            } else if self.promises.below.insert(service.clone()) {
                self.breach(Breach::BelowPromise { service, serving, promised });
            }
        }
        for service in self.promises.exclusive.clone() {
            if self.releases_alive(&service) < 2 {
                self.promises.doubled.remove(&service);
            } else if self.promises.doubled.insert(service.clone()) {
                self.breach(Breach::TwoAtOnce { service });
            }
        }
        let services: BTreeSet<_> = self.sets.keys().map(|workload| workload.service.clone()).collect();
        for service in services {
            if self.releases_alive(&service) < 3 {
                self.promises.crowded.remove(&service);
            } else if self.promises.crowded.insert(service.clone()) {
                self.breach(Breach::Crowded { service });
            }
        }
    }

    fn releases_alive(&self, service: &ServiceName) -> usize {
        let alive =
            |set: &&Set| set.instances.iter().any(|instance| instance.is_asked() && instance.leaves_at.is_none());
        self.sets.values().filter(|set| set.release.service == *service).filter(alive).count()
    }

    /// How many instances of a service serve, and how many of those it counted on fell by themselves.
    pub(super) fn serving(&self, service: &ServiceName) -> (u32, u32) {
        let unrouted = self.promises.unrouted.contains(service);
        let (mut serving, mut fell) = (0, 0);
        let sets = self.sets.values().filter(|set| set.release.service == *service);
        for instance in sets.flat_map(|set| &set.instances).filter(|instance| instance.is_live()) {
            if !instance.traffic.routed && !unrouted {
                continue;
            }
            match instance.answers(self.now) {
                true => serving += 1,
                false if instance.seen => fell += 1,
                false => {}
            }
        }
        (serving, fell)
    }
}
