//! The trait Prober: how a check asks, from where the traffic flows.

use crate::model::{Instance, Millis};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// One question to one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "probe", rename_all = "kebab-case")]
pub enum Probe {
    /// An HTTP GET.
    Http {
        /// The instance's port.
        port: u16,
        /// The path with its query, beginning with `/`.
        path: String,
        /// The Host header; absent: the instance's address.
        host: Option<String>,
    },
    /// A TCP connect. It succeeds to a paused container: it proves little alone.
    Tcp {
        /// The instance's port.
        port: u16,
    },
    /// A command inside the instance.
    Command {
        /// The executable and its arguments.
        argv: Vec<String>,
    },
    /// The test that the instance itself carries: an image's HEALTHCHECK, a pod's readiness.
    Own,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// An HTTP response.
    Http {
        /// Its status.
        status: u16,
        /// The beginning of its body, for people.
        body: String,
    },
    /// The connection stands, the command ended with 0, the own test passed.
    Success,
    /// Nobody listens, the time was over, the command or test failed.
    Failure {
        /// What happened, for people.
        why: String,
    },
    /// There is no such test here.
    NoSuchTest,
}

/// Asks an instance, from where the traffic flows.
///
/// # Errors
/// [`ProbeError`] when the question couldn't be asked; an instance that doesn't answer is an [`Answer`].
#[async_trait]
pub trait Prober: Send + Sync {
    /// Asks once, for at most `timeout`.
    async fn probe(&self, instance: &Instance, probe: &Probe, timeout: Millis) -> Result<Answer, ProbeError>;

    /// What an instance that hasn't started yet waits for, where the backend tells: a node, an image. For people; from what is
    /// known already.
    fn waits_for(&self, _: &Instance) -> Option<String> {
        None
    }
}

/// Why a question couldn't be asked.
#[derive(Debug, thiserror::Error)]
#[error("the question couldn't be asked: {why}")]
pub struct ProbeError {
    /// The cause, for people.
    pub why: String,
}
