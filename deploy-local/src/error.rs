use std::io;
use std::path::PathBuf;

use deploy_core::model::ServiceName;
use deploy_core::target::TargetError;
use deploy_proxy::agent::{AgentError, Refusal};
use deploy_proxy::control::{self, AskError};
use thiserror::Error;

/// Why a state folder can't be used, or a service can't be run here.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LocalError {
    /// The executable for agent and proxies isn't known.
    #[error("expected to find this program's executable; name one in the options")]
    Executable(#[source] io::Error),
    /// This program was started as an agent, and came here.
    #[error(
        "expected {executable} to be the agent, but it ran its own work; call deploy_proxy::hook() first in its main"
    )]
    NoHook {
        /// The program.
        executable: PathBuf,
    },
    /// The agent couldn't be started.
    #[error("could not start the agent {executable}; look whether it may be run")]
    Start {
        /// The program.
        executable: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The agent doesn't answer as expected.
    #[error("expected an answer from the agent, but found none; does {executable} call deploy_proxy::hook() first?")]
    Agent {
        /// The program.
        executable: PathBuf,
        /// What went wrong.
        #[source]
        source: AgentError,
    },
    /// The state folder can't be used.
    #[error(transparent)]
    State(#[from] Refusal),
    /// A service can't be run as it is described.
    #[error("expected a service that can be run here, but found {service}: {why}")]
    Service {
        /// Which service.
        service: ServiceName,
        /// What is wrong, and what to do.
        why: String,
    },
}

/// A refusal of the state folder, in the engine's terms.
pub(crate) fn refused(refusal: Refusal) -> TargetError {
    match refusal {
        Refusal::NotHeld { ours, newest, .. } => TargetError::Fenced { ours, newest },
        Refusal::Ended { ours, .. } => TargetError::LeaseEnded { ours },
        Refusal::Proxy(refusal) => proxy_refused(refusal),
        // what may pass: a full disk, a frozen agent, a proxy that starts
        Refusal::Storage { .. } | Refusal::Locked { .. } | Refusal::NoProxy { .. } | Refusal::ProxyLost { .. } => {
            TargetError::unreachable("the state folder", refusal)
        }
        other => TargetError::Rejected { why: other.to_string() },
    }
}

/// An agent's silence or refusal, in the engine's terms.
pub(crate) fn agent(error: AgentError) -> TargetError {
    match error {
        AgentError::Refused(refusal) => refused(refusal),
        other => TargetError::unreachable("the agent", other),
    }
}

/// A proxy's silence or refusal, in the engine's terms.
pub(crate) fn proxy(error: AskError) -> TargetError {
    match error {
        AskError::Refused(refusal) => proxy_refused(refusal),
        AskError::Agent(error) => agent(error),
        other => TargetError::unreachable("the proxy", other),
    }
}

fn proxy_refused(refusal: control::Refusal) -> TargetError {
    match refusal {
        control::Refusal::StaleFence { highest, found } => TargetError::Fenced { ours: found, newest: highest },
        control::Refusal::WrongRevision { expected, found } => TargetError::Conflict {
            expected: format!("routes of revision {expected}"),
            found: format!("revision {found}"),
        },
        control::Refusal::Storage { .. } => TargetError::unreachable("the proxy", refusal),
        other => TargetError::Rejected { why: other.to_string() },
    }
}
