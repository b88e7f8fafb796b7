use super::Names;
use deploy_core::{
    engine::{Deployment, State},
    model::{DeploymentId, Event, GuardId, Outcome, Plan, ServiceName, Step, StepId},
    observer::{Notice, Progress},
};
use std::collections::BTreeMap;

/// A run as its notices tell it: a fold over them, and what every reader needs to say it in words.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// What the releases are called.
    pub names: Names,
    deployment: Option<DeploymentId>,
    state: Option<State>,
    cause: Option<Cause>,
    health: BTreeMap<StepId, Health>,
    log: Option<Log>,
    touched: bool,
}

/// What made a deployment fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who noticed.
    pub by: Culprit,
    /// What it said.
    pub reason: String,
    /// Whether the world was neither as before nor as after: somebody else changed it.
    pub conflict: bool,
}

/// Who noticed that a deployment fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// A step.
    Step(StepId),
    /// A guard.
    Guard(GuardId),
}

/// How healthy the instances were when a check last looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// How many are.
    pub healthy: u32,
    /// Of how many.
    pub of: u32,
    /// The last answer that wasn't healthy.
    pub last: Option<String>,
}

/// An instance's last words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Whose.
    pub instance: String,
    /// Oldest first.
    pub lines: Vec<String>,
}

impl Story {
    /// A story that begins with what the releases are called, and the last deployment: where that was interrupted, its
    /// plan isn't told again when it is carried on.
    pub fn new(names: Names, last: Option<&Deployment>) -> Self {
        let mut story = Self { names, ..Self::default() };
        if let Some((id, state)) = last.and_then(|last| Some((last.id, last.state.as_ref()?))) {
            story.names.know_plan(state.plan());
            if state.end().is_none() {
                story.deployment = Some(id);
                story.touched = has_started(state);
                story.state = Some(state.clone());
            }
        }
        story
    }

    /// Takes one more notice in.
    pub fn hear(&mut self, notice: &Notice) {
        match notice {
            Notice::Event { deployment, record } => self.hear_event(*deployment, &record.event),
            Notice::Progress(Progress::Health { step, healthy, of, last, .. }) => {
                let health = Health { healthy: *healthy, of: *of, last: last.clone() };
                self.health.insert(step.clone(), health);
            }
            Notice::Progress(Progress::Log { instance, lines }) => {
                self.log = Some(Log { instance: instance.clone(), lines: lines.clone() });
            }
            Notice::Progress(_) => {}
        }
    }

    fn hear_event(&mut self, deployment: DeploymentId, event: &Event) {
        if let Event::Planned { plan } = event {
            self.names.know_plan(plan);
            let names = std::mem::take(&mut self.names);
            *self = Self { names, deployment: Some(deployment), state: State::begin(event).ok(), ..Self::default() };
            return;
        }
        match event {
            Event::StepStarted { .. } => self.touched = true,
            Event::StepEnded { step, outcome } => self.note_outcome(step, outcome),
            Event::GuardFailed { guard, reason } => {
                self.note(Culprit::Guard(guard.clone()), reason.clone(), false);
            }
            _ => {}
        }
        if let Some(state) = &self.state {
            // one that can't follow is the engine's to tell
            self.state = state.apply(event).ok().or_else(|| self.state.clone());
        }
    }

    fn note_outcome(&mut self, step: &StepId, outcome: &Outcome) {
        let by = Culprit::Step(step.clone());
        match outcome {
            Outcome::Failed { reason } => self.note(by, reason.clone(), false),
            Outcome::Conflict { expected, found } => {
                self.note(by, format!("expected {expected}, but found {found}"), true);
            }
            Outcome::Applied | Outcome::Resumed | Outcome::Coincided => {}
        }
    }

    /// The first failure is the cause; what fails on the way back comes on top of it.
    fn note(&mut self, by: Culprit, reason: String, conflict: bool) {
        let cause = Cause { by, reason, conflict };
        self.cause.get_or_insert(cause);
    }

    /// Which deployment it is about.
    pub fn deployment(&self) -> Option<DeploymentId> {
        self.deployment
    }

    /// Its state, once something was told of it.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// What made it fail, if anything did.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Whether a step may have had an effect.
    pub fn is_touched(&self) -> bool {
        self.touched
    }

    /// How healthy a step's instances were when it last looked.
    pub fn health(&self, step: &StepId) -> Option<&Health> {
        self.health.get(step)
    }

    /// The last words of an instance that failed.
    pub fn log(&self) -> Option<&Log> {
        self.log.as_ref()
    }

    /// A step by its name, on the way there or back.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        let state = self.state.as_ref()?;
        state.active().step(id).or_else(|| state.plan().step(id))
    }

    /// Whose step it is, if it is about one service.
    pub fn service_of(&self, step: &Step) -> Option<&ServiceName> {
        let plan: &Plan = self.state.as_ref()?.plan();
        let step = plan.step(&step.id).unwrap_or(step);
        super::letter::service_of(plan, step).and_then(|name| plan.service(name)).map(|spec| &spec.release.service)
    }
}

fn has_started(state: &State) -> bool {
    state.plan().steps.iter().any(|step| state.step(&step.id).is_some())
}
