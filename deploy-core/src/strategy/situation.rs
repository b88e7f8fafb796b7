use super::PlanInput;
use crate::model::{
    Capabilities, Clocks, Count, InstanceState, Millis, Named, Object, Observed, ReleaseId, RouterId, ServiceSpec,
    Shares, WorkloadRef,
};

/// How long what nobody can ask must run again, on the way back, to count as healthy.
const RUNS_FOR: Millis = Millis::from_secs(2);

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
    pub(super) olds: Vec<Old>,
    /// As what its releases were deployed that run, or did before a bad end; as far as that is known.
    pub(super) formers: Vec<&'a ServiceSpec>,
    /// What sends requests to it, or did until now.
    pub(super) router: Option<RouterId>,
    /// What its requests came through, where it is to be reached directly.
    pub(super) fronts: Vec<&'a Object>,
    /// What its requests are to come through, and isn't there as wanted while something runs: it takes its place when the
    /// new release is healthy, since its ports may be had by what is there, or lead to others than the old release's.
    pub(super) coming: Vec<&'a Object>,
    count: u32,
    /// Whether somebody answers by way of a router already: otherwise clients may reach old ones directly.
    pub(super) is_routed: bool,
    /// Whether the last deployment left it in a state that a person was told to look at.
    pub(super) is_doubtful: bool,
    /// Who answers now; nobody where nothing routes.
    pub(super) shares: Shares,
    pub(super) can: Capabilities,
}

/// A release that runs and isn't wanted any more.
#[derive(Clone)]
pub(super) struct Old {
    pub(super) workload: WorkloadRef,
    pub(super) asked: u32,
    /// How many of its instances answer requests.
    pub(super) serving: u32,
    /// How it is looked at on the way back.
    pub(super) check: Named,
    pub(super) clocks: Clocks,
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
        let can = input.capabilities.get(&input.home).cloned().unwrap_or_default();
        let (fronts, by) = fronts(input, spec, &can);
        let routing = || input.world.routing(service).cloned();
        let router = spec.router.clone().or_else(routing).or_else(|| by.first().cloned());
        let shares = router.as_ref().map(|router| input.world.shares(router, service)).unwrap_or_default();
        let is_doubtful = input.doubtful.contains(service);
        // a bad end may have stopped what was to be replaced
        let before = input.world.of_service(service).filter(|there| there.asked > 0 || is_doubtful);
        let formers = before.filter_map(|there| input.known.get(&there.workload.release));
        let olds = input.world.of_service(service).filter(|there| there.workload != new && there.asked > 0);
        let olds = olds.map(|there| {
            let (check, clocks) = looked_at(input, spec, there, shares.is_empty());
            Old {
                workload: there.workload.clone(),
                asked: there.asked,
                serving: match shares.of(&there.workload) {
                    None => 0,
                    Some(share) => share.instances.unwrap_or(there.asked).min(there.asked),
                },
                check,
                clocks,
            }
        });
        let (olds, new_asked): (Vec<_>, _) = (olds.collect(), input.world.asked(&new));
        let coming = coming(input, spec, &can, !olds.is_empty() && shares.is_empty());
        Self {
            spec,
            count: count(spec, &can, &olds, new_asked),
            new_asked,
            new_known: input.world.workload(&new).is_some(),
            new_failed: input.world.workload(&new).is_some_and(|there| {
                there.live().any(|instance| matches!(instance.state, InstanceState::Failed { .. }))
            }),
            olds,
            formers: formers.collect(),
            router,
            fronts,
            coming,
            is_routed: !shares.is_empty(),
            is_doubtful,
            new,
            shares,
            can,
        }
    }

    /// The count to work with: where it isn't ours, what is there.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether it was routed, and is to be reached directly.
    pub(super) fn leaves_router(&self) -> bool {
        self.spec.router.is_none() && self.router.is_some()
    }

    /// Whether clients reach what runs directly, and are to reach the new release by way of a router. Only one of the two
    /// can have its names and ports.
    pub(super) fn enters_router(&self) -> bool {
        self.spec.router.is_some() && !self.is_routed && !self.olds.is_empty() && !self.coming.is_empty()
    }

    /// Whether anything is asked for of it.
    pub(super) fn runs(&self) -> bool {
        self.new_asked > 0 || !self.olds.is_empty()
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
    pub(super) fn all_to_new(&self) -> Shares {
        Shares::all_to(self.new.clone(), (!self.can.owns_counts).then(|| self.count()))
    }

    /// Nothing is left to do but perhaps objects. What was left in doubt is looked at first.
    pub(super) fn is_unchanged(&self) -> bool {
        let counted = self.can.owns_counts && self.new_asked > 0 || self.new_asked == self.count();
        let routed = match self.spec.router {
            Some(_) => self.shares == self.all_to_new(),
            None => self.shares.is_empty(),
        };
        !self.is_doubtful && self.olds.is_empty() && counted && routed && (self.can.owns_counts || !self.new_failed)
    }
}

/// How a release is looked at on the way back. Of one that somebody else runs, and that clients reach directly, nobody
/// knows what it answers: the new release's check may be about another port.
fn looked_at(input: &PlanInput, spec: &ServiceSpec, there: &Observed, is_direct: bool) -> (Named, Clocks) {
    match input.known.get(&there.workload.release) {
        Some(known) => (known.check.clone(), known.clocks),
        None if is_direct && there.made_by.is_none() => {
            let running = Named::new("running", serde_json::Value::Null);
            (running, Clocks { healthy_for: spec.clocks.healthy_for.max(RUNS_FOR), ..spec.clocks })
        }
        None => (spec.check.clone(), spec.clocks),
    }
}

/// The count to work with: where it isn't ours, what is there.
fn count(spec: &ServiceSpec, can: &Capabilities, olds: &[Old], new_asked: u32) -> u32 {
    let there = || olds.iter().map(|old| old.asked).sum::<u32>().max(new_asked).max(1);
    match &spec.count {
        Count::Exactly(count) if !can.owns_counts => *count,
        Count::AsServing(release) => {
            let serving = olds.iter().find(|old| old.workload.release == *release).map(|old| old.asked);
            serving.unwrap_or_else(there)
        }
        _ => there(),
    }
}

/// What a service's requests are to come through, where something else is there instead or, for one that is `direct` so far,
/// nothing.
fn coming<'a>(input: &PlanInput, spec: &'a ServiceSpec, can: &Capabilities, direct: bool) -> Vec<&'a Object> {
    let is_coming = |object: &&Object| {
        let there = input.world.objects.iter().find(|there| there.object == object.object);
        can.fronts.contains(&object.object.kind) && there.map_or(direct, |there| there != *object)
    };
    spec.objects.iter().filter(is_coming).collect()
}

/// What is still there of that through which requests of a service came that is to be reached directly, and by which
/// routers: as its releases were deployed, the kept ones too.
fn fronts<'a>(input: &'a PlanInput, spec: &ServiceSpec, can: &Capabilities) -> (Vec<&'a Object>, Vec<RouterId>) {
    let (mut fronts, mut routers): (Vec<&Object>, Vec<_>) = (Vec::new(), Vec::new());
    let sets = input.world.of_service(&spec.release.service).filter(|_| spec.router.is_none());
    for former in sets.filter_map(|there| input.known.get(&there.workload.release)) {
        let Some(router) = &former.router else { continue };
        let is_front = |object: &&Object| can.fronts.contains(&object.object.kind);
        for object in former.objects.iter().rev().filter(is_front) {
            let is_wanted = spec.objects.iter().any(|wanted| wanted.object == object.object);
            let there = input.world.objects.iter().find(|there| there.object == object.object);
            if let Some(there) = there.filter(|there| !is_wanted && !fronts.contains(there)) {
                fronts.push(there);
                routers.push(router.clone());
            }
        }
    }
    (fronts, routers)
}
