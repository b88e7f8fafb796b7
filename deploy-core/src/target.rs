//! The trait Target: hands on one backend.

use crate::{
    health::Health,
    lease::LeaseEnd,
    model::{
        Capabilities, DeploymentId, Fence, Instance, Object, ObjectRef, Pace, Payload, Release, ReleaseId, ServiceName,
        StepId, TargetId, WorkloadRef, World,
    },
    prober::Prober,
};
use async_trait::async_trait;
use futures_util::{StreamExt, stream, stream::BoxStream};

/// On whose behalf a change is made. Every mutation carries it.
#[derive(Clone, Debug)]
pub struct Cx {
    /// Which deployment.
    pub deployment: DeploymentId,
    /// Which of its steps: what an earlier process did under the same step is ours.
    pub step: StepId,
    /// A target must make a write fail when this is no longer the newest.
    pub fence: Fence,
    /// When the step's time is over. The engine enforces it; backends use it to bound their own calls.
    pub deadline: tokio::time::Instant,
}

impl Cx {
    /// What is left until the deadline.
    pub fn left(&self) -> std::time::Duration {
        self.deadline.saturating_duration_since(tokio::time::Instant::now())
    }
}

/// What a look at an object saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether it has come true.
    pub health: Health,
    /// Whose last lines explain it, where it hasn't.
    pub instance: Option<Instance>,
}

/// Hands: observe, store a payload, ensure a set, replace in place, remove. *How*, on one backend: no policy, no waiting
/// for health, no stored status.
///
/// # Guarantees
/// - What a target reports was asked for is what will be compared with a step's expectations.
/// - A mutation under a stale fence has no effect, or none that an adopting successor would notice.
///
/// # Idempotency
/// Every mutation may be called again with the same [`Cx`], after it ran, ran halfway or never ran, and ends in the
/// same state. For example, `ensure` of three instances after a crash left two creates the third.
///
/// # Cancellation
/// A future may be dropped at any await; the next call finds whatever it left.
///
/// # Errors
/// [`TargetError`]; the engine tries again what [is retryable](TargetError::is_retryable), until the step's deadline.
#[async_trait]
pub trait Target: Send + Sync {
    /// Its name.
    fn id(&self) -> &TargetId;

    /// What it can do that not every target can.
    fn capabilities(&self) -> Capabilities;

    /// Everything of ours that concerns these services, as it is now: read, never remembered.
    async fn observe(&self, services: &[ServiceName]) -> Result<World, TargetError>;

    /// The same of one service, without the objects: what its steps and checks look at, again and again. A target where
    /// objects are costly to read leaves them out.
    async fn observe_sets(&self, service: &ServiceName) -> Result<World, TargetError> {
        self.observe(std::slice::from_ref(service)).await
    }

    /// Puts a release's payload into the store, readable by nobody else.
    async fn store(&self, cx: &Cx, release: &Release, payload: &Payload) -> Result<(), TargetError>;

    /// Makes exactly `count` instances of the set be asked for; surplus ones, the highest ordinals, are stopped and kept.
    /// Kept instances of the set are started before new ones are created, and those that have ended are started again.
    /// Returns without waiting for health.
    /// Without a count, which only a target that [owns counts](Capabilities::owns_counts) is asked, the set is as large
    /// as the backend has it.
    async fn ensure(&self, cx: &Cx, workload: &WorkloadRef, count: Option<u32>) -> Result<(), TargetError>;

    /// Stops the set, in good order; then removes it, or keeps it so that `ensure` brings it back quickly.
    async fn remove(&self, cx: &Cx, workload: &WorkloadRef, keep: bool) -> Result<(), TargetError>;

    /// Takes a payload out of the store; it may be gone already. Asked for what a deployment stored that was taken back, once
    /// nothing of that release is there. Outside a deployment's outcome.
    async fn discard(&self, _: &Cx, _: &ReleaseId) -> Result<(), TargetError> {
        Ok(())
    }

    /// Asks from where the traffic flows; the deployer may be on another machine.
    fn prober(&self) -> &dyn Prober;

    /// Has the backend's own controller replace `from` by the workload. Only where
    /// [`Capabilities::replaces`].
    async fn replace(&self, _: &Cx, _: &WorkloadRef, _from: &ReleaseId, _: Pace) -> Result<(), TargetError> {
        Err(TargetError::Rejected { why: "this target replaces nothing in place; use another strategy".into() })
    }

    /// Makes an object be there as described.
    async fn apply(&self, _: &Cx, object: &Object) -> Result<(), TargetError> {
        Err(TargetError::Rejected { why: format!("this target knows no {}", object.object.kind) })
    }

    /// Takes an object away; it may be gone already.
    async fn delete(&self, _: &Cx, object: &ObjectRef) -> Result<(), TargetError> {
        Err(TargetError::Rejected { why: format!("this target knows no {}", object.kind) })
    }

    /// Looks once whether an object has come true that was applied: only at kinds that
    /// [take their time](Capabilities::awaited). The engine asks again until it has, or until a deadline. What only keeps it from
    /// coming true, and isn't wanted any more, may be taken away.
    async fn look(&self, _: &Cx, object: &ObjectRef) -> Result<Look, TargetError> {
        Err(TargetError::Rejected { why: format!("this target can't tell whether {object} has come true") })
    }

    /// After a lease was taken that its last holder hadn't freed: makes late calls of that holder miss.
    async fn adopt(&self, _: &Cx, _: LeaseEnd) -> Result<(), TargetError> {
        Ok(())
    }

    /// Clears kept releases of a service except the newest `keep`, with their payloads. Outside a deployment's outcome.
    async fn prune(&self, _: &Cx, _: &ServiceName, _keep: usize) -> Result<(), TargetError> {
        Ok(())
    }

    /// Yields whenever an instance of ours changed, so that nobody must poll. It may yield too often; where it never
    /// yields, checks look again at their interval.
    fn watch(&self) -> BoxStream<'static, ()> {
        stream::pending().boxed()
    }

    /// What the backend said beside its answers since it was asked last, for people: each thing once.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// The last lines that an instance logged, oldest first; for people.
    async fn logs(&self, _: &Instance, _lines: usize) -> Result<Vec<String>, TargetError> {
        Ok(Vec::new())
    }
}

/// What a backend answered instead of doing it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// No answer, or a broken one; the call may have had its effect.
    #[error("expected an answer from {whom}, but found none")]
    Unreachable {
        /// Who should have answered.
        whom: String,
        /// What went wrong on the way.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody with a newer fence has taken over.
    #[error("expected {ours} to be the newest, but found {newest}: another deployer has taken over")]
    Fenced {
        /// Ours.
        ours: Fence,
        /// The newest.
        newest: Fence,
    },
    /// Our lease has ended, and nobody has taken over.
    #[error("expected to hold {ours}, but its lease has ended; nobody has taken over")]
    LeaseEnded {
        /// Ours, which is still the newest.
        ours: Fence,
    },
    /// Somebody else changed it in between.
    #[error("expected {expected}, but found {found}")]
    Conflict {
        /// What should have been there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// It certainly won't work, however often it is tried.
    #[error("{why}")]
    Rejected {
        /// The cause and what to do, for people.
        why: String,
    },
}

impl TargetError {
    /// Wraps an error of the way to the backend.
    pub fn unreachable(whom: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unreachable { whom: whom.into(), source: source.into() }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
