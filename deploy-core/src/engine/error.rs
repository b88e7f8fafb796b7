use super::StateError;
use crate::{
    health::CheckError,
    journal::JournalError,
    lease::LeaseError,
    model::{DeploymentId, Fence, PlanError},
    target::TargetError,
};

/// Why the engine stopped, beside a deployment's own ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Somebody else deployed for as long as we were willing to wait, or the keeper of the lease doesn't answer.
    #[error("the lease couldn't be taken; try again, or wait longer")]
    Lease(#[source] LeaseError),
    /// The lease went to somebody else while we worked. Nothing more was done.
    #[error("expected {ours} to be the newest, but another deployer has taken over; see `status`")]
    TakenOver {
        /// Ours.
        ours: Fence,
    },
    /// Our lease ended while we worked: it couldn't be renewed in time. Nobody has taken over. Nothing more was done.
    #[error(
        "expected to hold {ours}, but its lease ended, as it couldn't be renewed in time; nothing further was started: run the same command again"
    )]
    LeaseEnded {
        /// Ours.
        ours: Fence,
    },
    /// The journal couldn't be read or written. Nothing more was done.
    #[error("the journal failed; nothing further was started: run the same command again once that is mended")]
    Journal(#[source] JournalError),
    /// The journal's records don't follow each other.
    #[error("the journal of deployment {deployment} can't be understood; move it away to start anew")]
    State {
        /// Whose.
        deployment: DeploymentId,
        /// What is wrong.
        #[source]
        source: StateError,
    },
    /// There is no plan.
    #[error("there is no plan")]
    Plan(#[from] PlanError),
    /// A check in the plan can't be used.
    #[error("the plan has a check that can't be used")]
    Check(#[from] CheckError),
    /// The plan names something that isn't there.
    #[error("expected a plan for {expected}, but found {found}")]
    Elsewhere {
        /// What we work on.
        expected: String,
        /// What the plan names.
        found: String,
    },
    /// The target couldn't be observed before anything changed.
    #[error("the target couldn't be observed; nothing was changed")]
    Observe(#[source] TargetError),
    /// What the plan was made from isn't true any more.
    #[error("the plan is stale: expected {expected}, but found {found}; nothing was changed: plan again")]
    Stale {
        /// When the plan was made.
        expected: String,
        /// Now.
        found: String,
    },
    /// An interrupted deployment of the same releases runs by another strategy.
    #[error(
        "expected to carry deployment {deployment} on by strategy {theirs}, but found {ours}; use `resume` or `abort` first"
    )]
    OtherStrategy {
        /// The interrupted one.
        deployment: DeploymentId,
        /// Its strategy.
        theirs: String,
        /// The one asked for.
        ours: String,
    },
    /// No deployment was interrupted.
    #[error("there is no interrupted deployment")]
    NothingInterrupted,
}

impl From<JournalError> for EngineError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Fenced { ours, .. } => Self::TakenOver { ours },
            JournalError::LeaseEnded { ours } => Self::LeaseEnded { ours },
            other => Self::Journal(other),
        }
    }
}

impl From<LeaseError> for EngineError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Lost { ours, .. } => Self::TakenOver { ours },
            LeaseError::Ended { ours } => Self::LeaseEnded { ours },
            other => Self::Lease(other),
        }
    }
}
