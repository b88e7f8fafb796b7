use super::{Fact, Guard, Release, ServiceName, ServiceSpec, Step, StepId, TargetId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The format of plans that this version writes, and the newest that it reads.
pub const PLAN_FORMAT: u16 = 1;

/// Steps with an order: immutable data that can be read, with its way back, before anything runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The format that it was written in.
    pub format: u16,
    /// The oldest format whose readers understand it.
    pub min_reader: u16,
    /// The target whose journal and lease are used.
    pub home: TargetId,
    /// The strategy's name.
    pub strategy: String,
    /// What is to run, unchanged services included.
    pub services: Vec<ServiceSpec>,
    /// What it was made from: when one of these no longer holds before the first step, the plan is stale.
    pub basis: Vec<Fact>,
    /// What will be done.
    pub steps: Vec<Step>,
    /// What is watched beside it.
    pub guards: Vec<Guard>,
}

/// Why a plan can't be run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Written by a newer version.
    #[error(
        "expected a plan that format {PLAN_FORMAT} can read, but found one that needs format {needed}; use a newer deploy"
    )]
    TooNew {
        /// The format that it needs.
        needed: u16,
    },
    /// Two steps or guards of one name.
    #[error("expected each step once, but found {id} twice")]
    Twice {
        /// The name.
        id: String,
    },
    /// An unknown step is referred to.
    #[error("expected {by} to name a step of the plan, but found {unknown}")]
    UnknownStep {
        /// Who refers to it.
        by: String,
        /// The name.
        unknown: StepId,
    },
    /// Steps wait for each other.
    #[error("expected an order of the steps, but {step} waits for itself")]
    Cycle {
        /// One of them.
        step: StepId,
    },
    /// A service's releases need each other.
    #[error("expected an order of the services, but {service} needs itself")]
    NeedsItself {
        /// One of them.
        service: ServiceName,
    },
    /// The strategy can't be used here.
    #[error("expected a service that {strategy} can deploy, but found {service}: {why}")]
    Unsuitable {
        /// The strategy's name.
        strategy: String,
        /// Which service.
        service: ServiceName,
        /// Why not, and what to do.
        why: String,
    },
}

impl Plan {
    /// The releases, in the services' order.
    pub fn releases(&self) -> impl Iterator<Item = &Release> {
        self.services.iter().map(|service| &service.release)
    }

    /// The step of that name.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// The service of that name.
    pub fn service(&self, name: &ServiceName) -> Option<&ServiceSpec> {
        self.services.iter().find(|service| service.release.service == *name)
    }

    /// Checks that this version can read the plan, that its names are unique and known, and that its order has no cycle.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), PlanError> {
        if self.min_reader > PLAN_FORMAT {
            return Err(PlanError::TooNew { needed: self.min_reader });
        }
        let mut ids = BTreeSet::new();
        for step in &self.steps {
            if !ids.insert(&step.id) {
                return Err(PlanError::Twice { id: step.id.to_string() });
            }
        }
        let known = |by: &str, id: &StepId| match ids.contains(id) {
            true => Ok(()),
            false => Err(PlanError::UnknownStep { by: by.into(), unknown: id.clone() }),
        };
        for step in &self.steps {
            step.after.iter().try_for_each(|id| known(step.id.as_str(), id))?;
        }
        let mut guards = BTreeSet::new();
        for guard in &self.guards {
            if !guards.insert(&guard.id) {
                return Err(PlanError::Twice { id: guard.id.to_string() });
            }
            known(guard.id.as_str(), &guard.from)?;
            known(guard.id.as_str(), &guard.until)?;
        }
        self.in_order().map(|_| ())
    }

    /// The steps so that each comes after those that it waits for, otherwise as written.
    ///
    /// # Errors
    /// [`PlanError::Cycle`].
    pub fn in_order(&self) -> Result<Vec<&Step>, PlanError> {
        let mut waits: BTreeMap<&StepId, usize> = self.steps.iter().map(|step| (&step.id, step.after.len())).collect();
        let mut order = Vec::with_capacity(self.steps.len());
        while order.len() < self.steps.len() {
            let Some(next) = self.steps.iter().find(|step| waits.get(&step.id) == Some(&0)) else {
                let step = self.steps.iter().find(|step| waits.contains_key(&step.id));
                return Err(PlanError::Cycle { step: step.map_or_else(|| "?".into(), |step| step.id.clone()) });
            };
            waits.remove(&next.id);
            for step in self.steps.iter() {
                let times = step.after.iter().filter(|id| **id == next.id).count();
                if let Some(left) = waits.get_mut(&step.id) {
                    *left = left.saturating_sub(times);
                }
            }
            order.push(next);
        }
        Ok(order)
    }
}
