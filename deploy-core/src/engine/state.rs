use crate::{
    journal::Record,
    model::{End, Event, Fence, OnFailure, Outcome, Plan, Step, StepId, TargetId},
};
use std::{collections::BTreeMap, sync::Arc};

/// A deployment's state: a fold over its journal, and nothing else.
#[derive(Clone, Debug)]
pub struct State {
    plan: Arc<Plan>,
    fences: BTreeMap<TargetId, Fence>,
    steps: BTreeMap<StepId, StepState>,
    trouble: Option<Trouble>,
    unwind: Option<(Arc<Plan>, String)>,
    suspended: Option<String>,
    end: Option<End>,
    seq: u64,
}

/// How far a step is. One that isn't in the state hasn't started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It may have had its effect, or a part of it.
    Started,
    /// It is over.
    Ended(Outcome),
}

/// The first thing that went wrong and is not to be ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What it means.
    pub policy: OnFailure,
    /// What happened, for people.
    pub why: String,
}

/// Why records are no deployment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Something else came first.
    #[error("expected a plan as the first event of a deployment, but found {found}")]
    NoPlan {
        /// What came.
        found: String,
    },
    /// An event that can't follow what happened before.
    #[error("expected an event that can follow, but found {found} at record {seq}")]
    Impossible {
        /// What came.
        found: String,
        /// Its place.
        seq: u64,
    },
}

impl State {
    /// The state after these records; none of no record.
    ///
    /// # Errors
    /// [`StateError`] where they don't follow each other.
    pub fn replay(records: &[Record]) -> Result<Option<Self>, StateError> {
        let Some((first, rest)) = records.split_first() else { return Ok(None) };
        let mut state = Self::begin(&first.event)?;
        for record in rest {
            state = state.apply(&record.event)?;
        }
        Ok(Some(state))
    }

    /// The state after the first event.
    ///
    /// # Errors
    /// [`StateError::NoPlan`] where that isn't `Planned`.
    pub fn begin(event: &Event) -> Result<Self, StateError> {
        let Event::Planned { plan } = event else {
            return Err(StateError::NoPlan { found: kind(event) });
        };
        Ok(Self {
            plan: Arc::new((**plan).clone()),
            fences: BTreeMap::new(),
            steps: BTreeMap::new(),
            trouble: None,
            unwind: None,
            suspended: None,
            end: None,
            seq: 1,
        })
    }

    /// The state after one more event: the one transition function, for running and for recovery.
    ///
    /// # Errors
    /// [`StateError::Impossible`] where the event can't follow.
    pub fn apply(&self, event: &Event) -> Result<Self, StateError> {
        let mut next = self.clone();
        next.seq += 1;
        let impossible = || StateError::Impossible { found: kind(event), seq: next.seq };
        if self.end.is_some() {
            return Err(impossible());
        }
        match event {
            Event::Planned { .. } => return Err(impossible()),
            Event::LeaseTaken { fences, .. } => {
                next.fences.clone_from(fences);
                next.suspended = None;
            }
            Event::StepStarted { step } => {
                self.active().step(step).ok_or_else(impossible)?;
                if matches!(self.steps.get(step), Some(StepState::Ended(_))) {
                    return Err(impossible());
                }
                next.steps.insert(step.clone(), StepState::Started);
            }
            Event::StepEnded { step, outcome } => {
                let of = self.active().step(step).ok_or_else(impossible)?;
                if self.steps.get(step) != Some(&StepState::Started) {
                    return Err(impossible());
                }
                next.steps.insert(step.clone(), StepState::Ended(outcome.clone()));
                next.note_failure(of, outcome);
            }
            Event::GuardFailed { guard, reason } => {
                let of = self.plan.guards.iter().find(|of| of.id == *guard).ok_or_else(impossible)?;
                next.note(of.on_failure, format!("{guard}: {reason}"));
            }
            Event::Unwinding { plan, reason } => {
                if self.unwind.is_some() {
                    return Err(impossible());
                }
                next.unwind = Some((Arc::new((**plan).clone()), reason.clone()));
                next.trouble = None;
            }
            Event::Suspended { reason } => next.suspended = Some(reason.clone()),
            Event::Ended(end) => next.end = Some(end.clone()),
            Event::Unknown(_) => {}
        }
        Ok(next)
    }

    fn note_failure(&mut self, step: &Step, outcome: &Outcome) {
        match outcome {
            Outcome::Failed { reason } => self.note(step.on_failure, format!("{}: {reason}", step.id)),
            Outcome::Conflict { expected, found } => {
                self.note(step.on_failure, format!("{}: expected {expected}, but found {found}", step.id));
            }
            Outcome::Applied | Outcome::Resumed | Outcome::Coincided => {}
        }
    }

    fn note(&mut self, policy: OnFailure, why: String) {
        if policy != OnFailure::Continue && self.trouble.is_none() {
            self.trouble = Some(Trouble { policy, why });
        }
    }

    /// The plan that was made first.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan that runs: the way back once that has begun.
    pub fn active(&self) -> &Arc<Plan> {
        self.unwind.as_ref().map_or(&self.plan, |(plan, _)| plan)
    }

    /// Why it goes back, once it does.
    pub fn unwinding(&self) -> Option<&str> {
        self.unwind.as_ref().map(|(_, why)| why.as_str())
    }

    /// A step of either plan; none before it started.
    pub fn step(&self, id: &StepId) -> Option<&StepState> {
        self.steps.get(id)
    }

    /// The steps of either plan that are over.
    pub(crate) fn ended(&self) -> impl Iterator<Item = &StepId> {
        self.steps.iter().filter(|(_, state)| matches!(state, StepState::Ended(_))).map(|(id, _)| id)
    }

    /// What went wrong in the plan that runs.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// The fences of the last deployer.
    pub fn fences(&self) -> &BTreeMap<TargetId, Fence> {
        &self.fences
    }

    /// Why it waits, if it gave the lease back before its end.
    pub fn suspended(&self) -> Option<&str> {
        self.suspended.as_deref()
    }

    /// How it ended, once it has.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The number of the last record.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether a step is over so that what waits for it may start.
    pub(crate) fn is_passed(&self, id: &StepId) -> bool {
        match self.steps.get(id) {
            Some(StepState::Ended(outcome)) => {
                let goes_on = || self.active().step(id).is_some_and(|step| step.on_failure == OnFailure::Continue);
                outcome.is_success() || goes_on()
            }
            _ => false,
        }
    }
}

fn kind(event: &Event) -> String {
    let value = serde_json::to_value(event).ok();
    let kind = value.as_ref().and_then(|value| value.get("event")).and_then(|kind| kind.as_str());
    kind.unwrap_or("something unknown").into()
}
