//! What nobody needs any more is taken away around a deployment's end: what fails here is told, and changes no outcome.

use super::{
    Engine, State,
    deploy::Held,
    hands::{Behalf, services},
};
use crate::{
    model::{DeploymentId, Op, Plan, StepId, WorkloadRef},
    observer::Progress,
    rollback::is_ours,
    target::TargetError,
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long clearing kept releases may take.
const PRUNE_BY: Duration = Duration::from_secs(60);
/// How long it may take to discard configurations.
const DISCARD_BY: Duration = Duration::from_secs(30);

impl Engine {
    /// Clears kept releases.
    pub(super) async fn clear(&self, plan: &Plan, held: &Held, deployment: DeploymentId, keep: usize) {
        let behalf = Behalf { deployment, fence: held.grant.fence, under_way: held.under_way.clone() };
        if self.keeping(held.grant, self.prune(plan, behalf, keep)).await.is_err() {
            let text = "earlier releases may still be there: somebody else deploys now, and tries again".into();
            self.tell(Progress::Warning { text });
        }
    }

    async fn prune(&self, plan: &Plan, behalf: Behalf, keep: usize) {
        let deadline = Instant::now() + PRUNE_BY;
        let cx = behalf.cx(&StepId::new("prune"), deadline);
        for service in services(plan) {
            let prune = behalf.under_way.call(self.target.prune(&cx, &service, keep));
            let pruned = timeout_at(deadline, prune).await;
            let why = match pruned {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it took too long".into(),
            };
            let text = format!("earlier releases of {service} are still there: {why}; the next deployment tries again");
            self.tell(Progress::Warning { text });
        }
    }

    /// Discards the configurations that a deployment stored which was taken back, where nothing of the release is there:
    /// secrets lie in them. Before the end is journalled, so that whoever carries on after a crash does it too.
    pub(super) async fn discard_stored(&self, state: &State, behalf: &Behalf) {
        let ours = state.plan().steps.iter().filter(|step| is_ours(state, step));
        let stored: Vec<&WorkloadRef> = ours
            .filter_map(|step| match &step.op {
                Op::Store { workload, .. } => Some(workload),
                _ => None,
            })
            .collect();
        if stored.is_empty() {
            return;
        }
        let deadline = Instant::now() + DISCARD_BY;
        let discard = async {
            let cx = behalf.cx(&StepId::new("discard"), deadline);
            let world = self.world(&services(state.plan())).await?;
            for gone in stored.into_iter().filter(|workload| world.workload(workload).is_none()) {
                behalf.under_way.call(self.target.discard(&cx, &gone.release)).await?;
            }
            Ok::<(), TargetError>(())
        };
        let why = match timeout_at(deadline, discard).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took too long".into(),
        };
        let text = format!("the configuration of what was taken back is still in the target's store: {why}");
        self.tell(Progress::Warning { text });
    }
}
