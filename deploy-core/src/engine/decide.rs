use super::{State, StepState};
use crate::{
    model::{End, OnFailure, Op, Step, StepId, Undo},
    rollback::{Rollback, Unwind, is_ours, undo_of},
};
use std::collections::BTreeSet;

/// What comes next: pure, so that every choice can be tested and replayed.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Start these; some may be started again after a crash.
    Start(Vec<StepId>),
    /// Wait for what is under way.
    Settle,
    /// No further step may start: what only waits is given up, the rest is waited for.
    GiveUp,
    /// Go back, for this reason.
    Unwind(String),
    /// Give the lease back, for this reason.
    Suspend(String),
    /// It is over.
    End(End),
}

/// What a person asked for meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    None,
    GoBack(&'static str),
    Halt,
}

pub(crate) fn decide(state: &State, in_flight: &BTreeSet<StepId>, wish: Wish) -> Decision {
    let stop = state.trouble().is_some()
        || wish == Wish::Halt
        || matches!(wish, Wish::GoBack(_)) && state.unwinding().is_none();
    if stop && !in_flight.is_empty() {
        return Decision::GiveUp;
    }
    if let Some(trouble) = state.trouble() {
        let why = trouble.why.clone();
        return match (state.unwinding(), trouble.policy) {
            (Some(first), _) => Decision::End(End::Stuck { why: format!("{why}; it was going back because {first}") }),
            (None, OnFailure::Halt) => Decision::End(End::Halted { why }),
            (None, _) => Decision::Unwind(why),
        };
    }
    match wish {
        Wish::Halt => return Decision::Suspend("interrupted; the same command carries on, abort goes back".into()),
        Wish::GoBack(why) if state.unwinding().is_none() => return Decision::Unwind(why.into()),
        _ => {}
    }
    let waits = |step: &&Step| {
        !in_flight.contains(&step.id)
            && !matches!(state.step(&step.id), Some(StepState::Ended(_)))
            && step.after.iter().all(|id| state.is_passed(id))
    };
    let ready: Vec<_> = state.active().steps.iter().filter(waits).map(|step| step.id.clone()).collect();
    if !ready.is_empty() {
        return Decision::Start(ready);
    }
    if !in_flight.is_empty() {
        return Decision::Settle;
    }
    Decision::End(end(state))
}

/// The end of a plan whose steps have all passed.
fn end(state: &State) -> End {
    let Some(why) = state.unwinding() else { return End::Succeeded };
    let why = why.to_owned();
    match barrier(state) {
        Some(barrier) => End::Halted { why: format!("{why}; it went back as far as it may: {barrier}") },
        None if !has_changed(state) => End::Cancelled { why },
        None => End::RolledBack { why },
    }
}

/// Whether anything may be otherwise than before, or was meanwhile. A stored configuration is no such thing: nothing runs by
/// it.
fn has_changed(state: &State) -> bool {
    let changes = |op: &Op| !matches!(op, Op::Store { .. } | Op::Check { .. } | Op::Await { .. } | Op::Wait { .. });
    state.plan().steps.iter().any(|step| changes(&step.op) && is_ours(state, step))
}

/// Why the way back ends where it does, if it ends before the beginning.
fn barrier(state: &State) -> Option<&str> {
    state.plan().steps.iter().find_map(|step| match undo_of(state, step) {
        Undo::Barrier { why } => Some(why.as_str()),
        _ => None,
    })
}

/// The way back from here.
pub(crate) fn way_back(state: &State) -> Result<crate::model::Plan, crate::model::PlanError> {
    Unwind.plan(state)
}
