//! What a journal's errors are on the wire, and back.

use std::error::Error;

use deploy_core::journal::{JournalError, LineError};
use serde::de::Error as _;

use super::{AgentError, Refusal};

/// As it is sent to the deployer.
pub(super) fn refusal(error: JournalError, folder: &std::path::Path) -> Refusal {
    match error {
        JournalError::OutOfOrder { expected, found } => Refusal::OutOfOrder { expected, found },
        JournalError::TooNew { needed } => Refusal::NewerJournal { needed },
        JournalError::Damaged { deployment, line, source } => {
            Refusal::DamagedJournal { deployment, line, reason: causes(&source) }
        }
        other => Refusal::Storage {
            doing: "use the journal in".into(),
            path: folder.to_owned(),
            reason: other.source().map_or_else(|| other.to_string(), causes),
        },
    }
}

/// As the deployer's engine knows it.
pub(super) fn error(error: AgentError) -> JournalError {
    match error {
        AgentError::Refused(Refusal::NotHeld { ours, newest, .. }) => JournalError::Fenced { ours, newest },
        AgentError::Refused(Refusal::Ended { ours, .. }) => JournalError::LeaseEnded { ours },
        AgentError::Refused(Refusal::OutOfOrder { expected, found }) => JournalError::OutOfOrder { expected, found },
        AgentError::Refused(Refusal::NewerJournal { needed }) => JournalError::TooNew { needed },
        AgentError::Refused(Refusal::DamagedJournal { deployment, line, reason }) => {
            let source = LineError::Json(serde_json::Error::custom(reason));
            JournalError::Damaged { deployment, line, source }
        }
        other => JournalError::Unreachable(other.into()),
    }
}

/// An error with its causes, in one line.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
