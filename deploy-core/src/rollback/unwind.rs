use super::Rollback;
use crate::{
    engine::{State, StepState},
    model::{Expect, Fact, Millis, OnFailure, Op, Outcome, Plan, PlanError, Step, StepId, Undo},
    strategy::{MAKE, await_deadline, check_deadline, drain_deadline, stop_deadline},
};
use std::collections::BTreeMap;

/// *Unwind*: undoes the steps that started, in reverse of their order, back to the last barrier.
///
/// What somebody else did ([`Outcome::Coincided`]) stays. A step without an outcome counts as started: undo tolerates
/// that it never ran, or ran halfway.
#[derive(Clone, Copy, Debug)]
pub struct Unwind;

impl Rollback for Unwind {
    fn name(&self) -> &str {
        "unwind"
    }

    fn plan(&self, state: &State) -> Result<Plan, PlanError> {
        let plan = state.plan();
        let mut back = Back { plan, steps: Vec::new(), tails: BTreeMap::new() };
        for step in plan.in_order()?.into_iter().rev() {
            match undo_of(state, step) {
                Undo::Barrier { .. } => break,
                Undo::Nothing | Undo::Keep { .. } => back.add(step, &[]),
                Undo::Do { ops } => back.add(step, ops),
            }
        }
        let plan = Plan {
            strategy: self.name().into(),
            basis: Vec::new(),
            guards: Vec::new(),
            steps: back.steps,
            ..plan.clone()
        };
        plan.validate().map(|()| plan)
    }
}

/// Whether we may have done something in this step: it was started, and neither did somebody else do it nor did we find
/// that it couldn't be done.
pub(crate) fn is_ours(state: &State, step: &Step) -> bool {
    !matches!(state.step(&step.id), None | Some(StepState::Ended(Outcome::Coincided | Outcome::Conflict { .. })))
}

/// What the way back does about a step.
pub(crate) fn undo_of<'a>(state: &State, step: &'a Step) -> &'a Undo {
    if is_ours(state, step) { &step.undo } else { &Undo::Nothing }
}

struct Back<'a> {
    plan: &'a Plan,
    steps: Vec<Step>,
    /// For each step of the plan that was looked at: what must end before those that it waited for are undone.
    tails: BTreeMap<&'a StepId, Vec<StepId>>,
}

impl<'a> Back<'a> {
    fn add(&mut self, step: &'a Step, ops: &[Op]) {
        let dependents = self.plan.steps.iter().filter(|other| other.after.contains(&step.id));
        let mut after: Vec<_> = dependents.filter_map(|other| self.tails.get(&other.id)).flatten().cloned().collect();
        after.sort();
        after.dedup();
        for (index, op) in ops.iter().enumerate() {
            let id = self.id(step, index);
            self.steps.push(Step {
                id: id.clone(),
                stage: "Go back".into(),
                after: std::mem::replace(&mut after, vec![id]),
                expect: expect(op, &step.op),
                op: op.clone(),
                undo: Undo::Nothing,
                // as it was before is enough: it may not have come true then either
                on_failure: if matches!(op, Op::Await { .. }) { OnFailure::Continue } else { OnFailure::Halt },
                deadline: self.deadline(op, step),
            });
        }
        self.tails.insert(&step.id, after);
    }

    /// A name of its own, whatever the plan's steps are called: states of both plans are kept together.
    fn id(&self, step: &Step, index: usize) -> StepId {
        let mut name = match index {
            0 => format!("undo {}", step.id),
            index => format!("undo {} ({})", step.id, index + 1),
        };
        let is_taken = |name: &str| self.plan.steps.iter().chain(&self.steps).any(|other| other.id.as_str() == name);
        while is_taken(&name) {
            name.push('\'');
        }
        StepId::new(name)
    }

    /// How long an undo may take: it does something else than its step, and what it stops takes its time.
    fn deadline(&self, op: &Op, step: &Step) -> Millis {
        let spec = op.service().and_then(|service| self.plan.service(service));
        match op {
            Op::Check { clocks, .. } => check_deadline(*clocks),
            Op::Await { by, .. } => await_deadline(*by),
            Op::Drain { .. } => spec.map_or(step.deadline, drain_deadline),
            Op::Remove { .. } | Op::Ensure { .. } => {
                step.deadline.max(MAKE).max(spec.map_or(Millis::ZERO, stop_deadline))
            }
            _ => step.deadline,
        }
    }
}

/// An undo tolerates that its step never ran or ran halfway, but not that somebody else moved the traffic.
fn expect(op: &Op, undone: &Op) -> Expect {
    let routed = |op: &Op| match op {
        Op::Route { router, service, shares } => {
            Some(Fact::Routed { router: router.clone(), service: service.clone(), shares: shares.clone() })
        }
        _ => None,
    };
    let done = match op {
        Op::Apply { object } => Some(Fact::Applied { object: object.clone() }),
        Op::Delete { object } => Some(Fact::Missing { object: object.clone() }),
        op => routed(op),
    };
    Expect { ready: routed(op).and_then(|_| routed(undone)).into_iter().collect(), done: done.into_iter().collect() }
}
