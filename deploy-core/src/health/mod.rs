//! The trait HealthCheck: eyes that look once. *HTTP*, *TCP*, *command*, the instance's *own* test, *running*, and their
//! compositions.

mod checks;
mod compose;
mod probing;

pub use checks::{CheckError, Checks};
pub use compose::{All, Any, Not};
pub use probing::{CommandCheck, HttpCheck, OwnCheck, RunningCheck, TcpCheck};

use crate::{model::Instance, prober::Prober};
use async_trait::async_trait;

/// What a look saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It serves.
    Healthy,
    /// Not yet; it may still come.
    Waiting(String),
    /// It certainly won't come.
    Unhealthy(String),
    /// The question couldn't be asked.
    CannotTell(String),
}

/// Looks once at one running instance. Intervals, successes in a row and deadlines belong to the engine.
///
/// # Cancellation
/// A look may be dropped at any await.
#[async_trait]
pub trait HealthCheck: Send + Sync {
    /// Looks once.
    async fn check(&self, instance: &Instance, ask: &dyn Prober) -> Health;
}
