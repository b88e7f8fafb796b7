use super::{
    PlanInput,
    line::{Line, Pending},
    situation::Situation,
};
use crate::model::{
    Awaited, Expect, Fact, Guard, Millis, Object, ObjectRef, OnFailure, Op, PLAN_FORMAT, Plan, PlanError, ServiceName,
    ServiceSpec, Share, Step, StepId, Undo, WorkloadRef,
};
use std::collections::{BTreeMap, BTreeSet};

/// What the Engine or API server may take for its own calls, beside what they wait for.
pub(crate) const SLACK: Millis = Millis::from_secs(30);
/// Creating and starting a set, or making an object: image layers are there already.
pub(crate) const MAKE: Millis = Millis::from_secs(120);

/// How long it may take until an object has come true, with the calls for it.
pub(crate) fn await_deadline(by: Millis) -> Millis {
    by.plus(SLACK)
}

/// The last steps about an object.
#[derive(Clone)]
struct Applied {
    /// What must end before what comes after it is applied.
    last: StepId,
    /// What else must end before the services that stand on it start.
    awaited: Option<StepId>,
}

/// Collects a plan's steps; each service's follow each other.
///
/// Steps are called `web/start` and `network front/apply`: what is done comes last, and nothing is done to services that is
/// done to objects, so no two have one name, whatever people call their services and networks.
pub(super) struct Builder<'a> {
    pub(super) input: &'a PlanInput,
    /// What services stand on that are wanted, or that this plan isn't about.
    needed: BTreeSet<&'a ObjectRef>,
    /// What only releases stood on that this plan ends, each after what it stands on itself.
    unneeded: Vec<&'a Object>,
    pub(super) steps: Vec<Step>,
    pub(super) guards: Vec<Guard>,
    basis: Vec<Fact>,
    /// The last step of each object that several services stand on.
    applied: BTreeMap<ObjectRef, Applied>,
    /// The services that aren't planned yet.
    pub(super) pending: BTreeMap<ServiceName, Pending<'a>>,
    /// What must end before a service counts as healthy.
    pub(super) healthy: BTreeMap<ServiceName, Vec<StepId>>,
}

/// Plans every service in the order of their needs.
///
/// `steps` adds the steps of one that isn't unchanged, after what it stands on.
pub(super) fn plan<'a>(
    strategy: &str,
    input: &'a PlanInput,
    mut steps: impl FnMut(&mut Line<'_, 'a>),
) -> Result<Plan, PlanError> {
    let mut builder = Builder {
        input,
        needed: needed(input),
        unneeded: Vec::new(),
        steps: Vec::new(),
        guards: Vec::new(),
        basis: Vec::new(),
        applied: BTreeMap::new(),
        pending: BTreeMap::new(),
        healthy: BTreeMap::new(),
    };
    let order = by_needs(&input.wanted)?;
    for spec in &order {
        let situation = Situation::of(input, spec);
        if let Some(why) = stays_routed(input, &situation) {
            let (strategy, service) = (strategy.into(), spec.release.service.clone());
            return Err(PlanError::Unsuitable { strategy, service, why: why.into() });
        }
        builder.note_basis(&situation);
        builder.note_unneeded(&situation);
        builder.pending.insert(spec.release.service.clone(), Pending::new(situation));
    }
    for spec in order {
        let service = spec.release.service.clone();
        let Some(mut pending) = builder.pending.remove(&service) else { continue };
        let unchanged = pending.situation.is_unchanged();
        if unchanged {
            // nothing else is in the way
            pending.situation.coming.clear();
        }
        pending.after.extend(builder.foundations(&pending.situation));
        let mut line = Line::new(&mut builder, pending);
        if !unchanged {
            if line.situation.leaves_router() {
                line.leave_router();
            }
            steps(&mut line);
            line.apply_coming();
        }
        let after = line.rest().after;
        builder.healthy.insert(service, after);
    }
    builder.clear();
    let plan = Plan {
        format: PLAN_FORMAT,
        min_reader: 1,
        home: input.home.clone(),
        strategy: strategy.into(),
        services: input.wanted.iter().map(|spec| as_it_stands(input, spec)).collect(),
        basis: builder.basis,
        steps: builder.steps,
        guards: builder.guards,
    };
    plan.validate().map(|()| plan)
}

/// Those that others need first, otherwise as given.
fn by_needs(wanted: &[ServiceSpec]) -> Result<Vec<&ServiceSpec>, PlanError> {
    let mut left: Vec<_> = wanted.iter().collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waiting =
            |spec: &&ServiceSpec| spec.needs.iter().any(|need| left.iter().any(|other| other.release.service == *need));
        let Some(next) = left.iter().position(|spec| !waiting(spec)) else {
            return Err(PlanError::NeedsItself { service: left[0].release.service.clone() });
        };
        order.push(left.remove(next));
    }
    Ok(order)
}

/// What may not be deleted: services that aren't in the plan may still run.
fn needed(input: &PlanInput) -> BTreeSet<&ObjectRef> {
    let is_wanted = |service: &ServiceName| input.wanted.iter().any(|spec| spec.release.service == *service);
    let others = input.known.values().filter(|spec| !is_wanted(&spec.release.service));
    others.chain(&input.wanted).flat_map(|spec| &spec.objects).map(|object| &object.object).collect()
}

/// A service on what it will really stand on: what is there and can't change, as it is.
fn as_it_stands(input: &PlanInput, spec: &ServiceSpec) -> ServiceSpec {
    let mut spec = spec.clone();
    for object in &mut spec.objects {
        if let Some(there) = there(input, object).filter(|_| is_fixed(input, object)) {
            *object = there.clone();
        }
    }
    spec
}

/// What is there of an object's name.
fn there<'a>(input: &'a PlanInput, object: &Object) -> Option<&'a Object> {
    input.world.objects.iter().find(|there| there.object == object.object)
}

/// Whether an object takes its time, and who waits for it.
fn awaited(input: &PlanInput, object: &ObjectRef) -> Option<Awaited> {
    input.capabilities.get(&object.target)?.awaited.get(&object.kind).copied()
}

fn is_fixed(input: &PlanInput, object: &Object) -> bool {
    input.capabilities.get(&object.object.target).is_some_and(|can| can.fixed.contains(&object.object.kind))
}

/// Why a service that is routed can't be made one that is reached directly.
fn stays_routed(input: &PlanInput, situation: &Situation<'_>) -> Option<&'static str> {
    let is_known = |share: &Share| input.known.contains_key(&share.workload.release);
    match () {
        () if !situation.leaves_router() => None,
        () if situation.shares.of(&situation.new).is_some() => {
            Some("a router answers for this very release: take it down first, or let it stay routed")
        }
        () if !situation.can.fronts.is_empty() && !situation.shares.iter().all(is_known) => {
            Some("a router answers for it, and it isn't known any more through what: take it down first")
        }
        () => None,
    }
}

impl<'a> Builder<'a> {
    /// What only the running releases stand on.
    fn note_unneeded(&mut self, situation: &Situation<'a>) {
        for object in situation.formers.iter().flat_map(|former| &former.objects) {
            let is_disposable = situation.can.disposable.contains(&object.object.kind);
            let there = there(self.input, object);
            let is_needed = self.needed.contains(&object.object);
            if let Some(there) = there.filter(|there| is_disposable && !is_needed && !self.unneeded.contains(there)) {
                self.unneeded.push(there);
            }
        }
    }

    /// Deletes what nothing stands on any more, after all else; where that fails, the deployment succeeds all the same.
    fn clear(&mut self) {
        let mut after: Vec<_> = self.healthy.values().flatten().cloned().collect();
        after.sort();
        after.dedup();
        for object in std::mem::take(&mut self.unneeded).into_iter().rev() {
            let step = delete("Clean up", object, after, OnFailure::Continue);
            after = vec![step.id.clone()];
            self.steps.push(step);
        }
    }

    /// What the plan is made from.
    fn note_basis(&mut self, situation: &Situation<'_>) {
        let asked = |workload: &WorkloadRef, count| match situation.can.owns_counts {
            false => Fact::asked(workload, count),
            true => Fact::Asked {
                workload: workload.clone(),
                min: count.min(1),
                max: if count == 0 { 0 } else { u32::MAX },
            },
        };
        self.basis.push(asked(&situation.new, situation.new_asked));
        let release = &situation.spec.release.id;
        if self.input.world.stored.contains(release) && !situation.is_unchanged() {
            self.basis.push(Fact::Stored { release: release.clone() });
        }
        self.basis.extend(situation.olds.iter().map(|old| asked(&old.workload, old.asked)));
        if let Some(router) = &situation.router {
            let service = situation.spec.release.service.clone();
            self.basis.push(Fact::Routed { router: router.clone(), service, shares: situation.shares.clone() });
        }
    }

    /// Stores the payload and applies the objects that a service stands on; yields what its first step must wait for.
    fn foundations(&mut self, situation: &Situation<'_>) -> Vec<StepId> {
        let spec = situation.spec;
        let mut after: Vec<_> =
            spec.needs.iter().filter_map(|need| self.healthy.get(need)).flatten().cloned().collect();
        if !self.input.world.stored.contains(&spec.release.id) && !situation.is_unchanged() {
            let release = spec.release.clone();
            let stored = Fact::Stored { release: release.id.clone() };
            let id = StepId::new(format!("{}/store", release.service));
            self.steps.push(Step {
                id: id.clone(),
                stage: "Prepare".into(),
                after: Vec::new(),
                op: Op::Store { workload: situation.new.clone(), release },
                expect: Expect { ready: Vec::new(), done: vec![stored] },
                undo: Undo::Nothing,
                on_failure: OnFailure::Unwind,
                deadline: SLACK,
            });
            after.push(id);
        }
        let mut before: Vec<StepId> = Vec::new();
        for object in spec.objects.iter().filter(|object| !situation.coming.contains(object)) {
            if let Some(applied) = self.applied.get(&object.object) {
                before.push(applied.last.clone());
                after.extend(applied.awaited.clone());
            } else if let Some(id) = self.apply("Prepare", object, &before) {
                let applied = self.await_object(object, id);
                before = vec![applied.last.clone()];
                after.extend(applied.awaited.clone());
                self.applied.insert(object.object.clone(), applied);
            }
        }
        after.extend(before);
        after
    }

    /// Waits until an object that was just applied has come true, where it takes its time; as it was before, on the way back.
    fn await_object(&mut self, object: &Object, applied: StepId) -> Applied {
        let object = &object.object;
        let Some(awaited) = awaited(self.input, object) else { return Applied { last: applied, awaited: None } };
        // as long as the most patient of the services that stand on it
        let stands = |spec: &&ServiceSpec| spec.objects.iter().any(|one| one.object == *object);
        let by = self.input.wanted.iter().filter(stands).map(|spec| spec.clocks.healthy_by).max().unwrap_or_default();
        let op = Op::Await { object: object.clone(), by };
        if let Some(Step { undo: Undo::Do { ops }, .. }) = self.steps.last_mut()
            && ops.iter().any(|op| matches!(op, Op::Apply { .. }))
        {
            ops.push(op.clone());
        }
        let id = StepId::new(format!("{object}/await"));
        self.steps.push(Step {
            id: id.clone(),
            stage: "Prepare".into(),
            after: vec![applied.clone()],
            op,
            expect: Expect::default(),
            undo: Undo::Nothing,
            on_failure: OnFailure::Unwind,
            deadline: await_deadline(by),
        });
        match awaited {
            Awaited::ByObjects => Applied { last: id, awaited: None },
            Awaited::ByServices => Applied { last: applied, awaited: Some(id) },
        }
    }

    /// Applies an object unless it is there as described, or can't be described anew.
    pub(super) fn apply(&mut self, stage: &str, object: &Object, after: &[StepId]) -> Option<StepId> {
        let there = there(self.input, object);
        let before = match there {
            Some(there) if there == object || is_fixed(self.input, object) => return None,
            Some(there) => Fact::Applied { object: there.clone() },
            None => Fact::Missing { object: object.object.clone() },
        };
        let back = match there {
            Some(there) => Op::Apply { object: there.clone() },
            None => Op::Delete { object: object.object.clone() },
        };
        let id = StepId::new(format!("{}/apply", object.object));
        self.steps.push(Step {
            id: id.clone(),
            stage: stage.into(),
            after: after.to_vec(),
            op: Op::Apply { object: object.clone() },
            expect: Expect { ready: vec![before], done: vec![Fact::Applied { object: object.clone() }] },
            undo: Undo::Do { ops: vec![back] },
            on_failure: OnFailure::Unwind,
            deadline: MAKE,
        });
        Some(id)
    }
}

/// Takes an object away; on the way back it is made again.
pub(super) fn delete(stage: &str, object: &Object, after: Vec<StepId>, on_failure: OnFailure) -> Step {
    let gone = Fact::Missing { object: object.object.clone() };
    Step {
        id: StepId::new(format!("{}/delete", object.object)),
        stage: stage.into(),
        after,
        op: Op::Delete { object: object.object.clone() },
        expect: Expect { ready: vec![Fact::Applied { object: object.clone() }], done: vec![gone] },
        undo: Undo::Do { ops: vec![Op::Apply { object: object.clone() }] },
        on_failure,
        deadline: MAKE,
    }
}
