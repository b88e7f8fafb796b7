//! The trait Lease: who may deploy now, with an expiry.

use crate::model::{Fence, Millis};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// How the lease before ours ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseEnd {
    /// There was none, or its holder gave it back: nothing of it is still under way. An engine that gave a call up before
    /// it was answered doesn't give its lease back.
    Freed,
    /// Its holder is gone.
    Abandoned,
    /// Its holder hasn't been heard of for too long, and may still live.
    Expired,
}

/// A lease that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Larger than any before.
    pub fence: Fence,
    /// How the one before ended.
    pub before: LeaseEnd,
    /// How long it holds unless it is renewed.
    pub ttl: Millis,
}

/// Who may deploy now.
///
/// # Guarantees
/// At most one fence is the newest; a write under an older one is refused by whoever keeps the state.
///
/// # Cancellation
/// A dropped `take` may have taken the lease: it then expires by itself.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Takes the lease if it is free, abandoned or expired.
    ///
    /// # Errors
    /// [`LeaseError::Held`] while somebody has it: try again.
    async fn take(&self, holder: &str) -> Result<Grant, LeaseError>;

    /// Makes it hold for its time to live from now.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] once somebody else took it, [`LeaseError::Ended`] once it has ended and nobody did.
    async fn renew(&self, fence: Fence) -> Result<(), LeaseError>;

    /// Gives it back. What was lost already stays lost.
    ///
    /// # Errors
    /// Where it couldn't be said: it then expires by itself.
    async fn free(&self, fence: Fence) -> Result<(), LeaseError>;
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Somebody has it.
    #[error("{holder} holds the lease for at most another {left}")]
    Held {
        /// Who, for people.
        holder: String,
        /// Until it expires, if it isn't renewed.
        left: Millis,
    },
    /// It was ours, and isn't any more.
    #[error("expected to hold {ours}, but found {newest}: another deployer has taken over")]
    Lost {
        /// Ours.
        ours: Fence,
        /// The newest.
        newest: Fence,
    },
    /// It was ours and has ended, and nobody has taken it since.
    #[error("expected to hold {ours}, but its lease has ended; nobody has taken over")]
    Ended {
        /// Ours, which is still the newest.
        ours: Fence,
    },
    /// Whoever keeps it doesn't answer.
    #[error("expected an answer from the keeper of the lease, but found none")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
