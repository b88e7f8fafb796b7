use super::{Engine, EngineError, under_way::UnderWay};
use crate::{
    model::{DeploymentId, Fence, Op, Plan, ServiceName, Step, StepId, Watch, WorkloadRef, World},
    target::{Cx, TargetError},
};
use std::collections::BTreeSet;
use tokio::time::Instant;

impl Engine {
    /// Refuses, before any side effect, a plan that names what isn't there, on its way back too.
    pub(super) fn accepts(&self, plan: &Plan) -> Result<(), EngineError> {
        plan.validate()?;
        let here = self.target.id();
        let elsewhere = |found: String| EngineError::Elsewhere { expected: here.to_string(), found };
        if plan.home != *here {
            return Err(elsewhere(plan.home.to_string()));
        }
        for op in plan.steps.iter().flat_map(Step::ops) {
            let (target, router) = match op {
                Op::Store { workload, .. }
                | Op::Ensure { workload, .. }
                | Op::Replace { workload, .. }
                | Op::Remove { workload, .. } => (Some(&workload.target), None),
                Op::Check { workload, check, .. } => {
                    self.checks.build(check)?;
                    (Some(&workload.target), None)
                }
                Op::Drain { workload, router } => (Some(&workload.target), Some(router)),
                Op::Route { router, .. } => (None, Some(router)),
                Op::Apply { object } => (Some(&object.object.target), None),
                Op::Delete { object } | Op::Await { object, .. } => (Some(&object.target), None),
                Op::Wait { .. } => (None, None),
            };
            if let Some(target) = target.filter(|target| *target != here) {
                return Err(elsewhere(target.to_string()));
            }
            if let Some(router) = router.filter(|router| !self.routers.contains_key(router)) {
                return Err(elsewhere(format!("router {router}")));
            }
        }
        for guard in &plan.guards {
            let Watch::Check { check, .. } = &guard.watch;
            self.checks.build(check)?;
        }
        Ok(())
    }

    pub(super) async fn world(&self, services: &[ServiceName]) -> Result<World, TargetError> {
        self.target.observe(services).await
    }

    /// What concerns one set.
    pub(super) async fn world_of(&self, workload: &WorkloadRef) -> Result<World, TargetError> {
        self.target.observe_sets(&workload.service).await
    }
}

/// On whose behalf a run works.
#[derive(Clone, Debug)]
pub(super) struct Behalf {
    pub(super) deployment: DeploymentId,
    pub(super) fence: Fence,
    pub(super) under_way: UnderWay,
}

impl Behalf {
    pub(super) fn cx(&self, step: &StepId, deadline: Instant) -> Cx {
        Cx { deployment: self.deployment, step: step.clone(), fence: self.fence, deadline }
    }
}

/// The services that a plan is about.
pub(super) fn services(plan: &Plan) -> Vec<ServiceName> {
    let names: BTreeSet<_> = plan.releases().map(|release| release.service.clone()).collect();
    names.into_iter().collect()
}

/// Whether a step changes nothing, so that it may be given up at any moment.
pub(super) fn only_waits(op: &Op) -> bool {
    matches!(op, Op::Check { .. } | Op::Await { .. } | Op::Wait { .. })
}
