use crate::Exit;
use deploy_core::{
    engine::EngineError, journal::JournalError, lease::LeaseError, model::DeploymentId, target::TargetError,
};
use std::{error::Error, io, path::PathBuf};

/// Why a command ended without a deployment's end to tell of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The engine had to stop.
    #[error("the deployment couldn't be run")]
    Engine {
        /// How the command ends.
        exit: Exit,
        /// What went wrong.
        #[source]
        source: EngineError,
    },
    /// The journal can't be read.
    #[error("earlier deployments couldn't be read")]
    Journal(#[from] JournalError),
    /// The target doesn't answer.
    #[error("what is there couldn't be observed; nothing was changed")]
    Target(#[from] TargetError),
    /// Somebody else deploys.
    #[error("the lease couldn't be taken; try again, or wait longer with `--lease-wait`")]
    Lease(#[from] LeaseError),
    /// The system lets nobody hear of signals.
    #[error("expected to hear of signals, but the system refused; check the limits that the process runs under")]
    Signals(#[source] io::Error),
    /// A plan's file can't be read.
    #[error("expected a plan in {}, as `deploy plan --out` writes it", path.display())]
    PlanFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A plan's file can't be written.
    #[error("expected to write the plan to {}; name a file in a folder that is there", path.display())]
    WritePlan {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Nothing served before what serves now.
    #[error("expected an earlier release to go back to, but found none in the history; see `deploy history`")]
    NothingBefore,
    /// No deployment brought that.
    #[error("expected a version or a deployment's number from `deploy history`, but found {asked}")]
    NoSuchVersion {
        /// What was asked for.
        asked: String,
    },
    /// Several did.
    #[error("expected one deployment, but {asked} may be any of these; name one by its number:\n{candidates}")]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// A line each.
        candidates: String,
    },
    /// It didn't end well.
    #[error("expected a deployment that was done, but {number} was not; see `deploy history`")]
    NotDone {
        /// Its number.
        number: DeploymentId,
    },
    /// Its releases aren't kept any more.
    #[error(
        "expected the releases of deployment {number} to be kept, but {missing} is gone; deploy it from its Compose file, or go back to one that `deploy history` shows after it"
    )]
    NotKept {
        /// Its number.
        number: DeploymentId,
        /// The first release that is missing.
        missing: String,
    },
}

impl CommandError {
    /// How the command ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Engine { exit, .. } => *exit,
            Self::Journal(_) | Self::Target(_) | Self::Lease(_) | Self::Signals(_) => Exit::Failed,
            Self::WritePlan { .. } | Self::NothingBefore | Self::NotKept { .. } => Exit::Failed,
            Self::PlanFile { .. } | Self::NoSuchVersion { .. } | Self::Ambiguous { .. } | Self::NotDone { .. } => {
                Exit::BadInput
            }
        }
    }

    /// The error with what caused it, in one line or, where candidates are listed, more.
    pub fn explain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}
