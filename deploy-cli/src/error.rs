use crate::{
    Exit,
    args::TargetName,
    demo::{
        app::{AppError, ClientError, SettingsError},
        show::DemoError,
    },
    output::printable,
};
use deploy_compose::LoadError;
use deploy_core::{
    engine::EngineError,
    journal::JournalError,
    lease::LeaseError,
    model::{DeploymentId, ServiceName},
    target::TargetError,
};
use deploy_docker::{ConnectError, PrepareError};
use deploy_k8s::InputError;
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
    /// The Compose files, or what they name, are wrong: a line a problem.
    #[error("{0}")]
    Compose(LoadError),
    /// The Kubernetes objects, or what they name, are wrong: a line a problem.
    #[error("{0}")]
    Input(InputError),
    /// Nothing says what to deploy on a cluster.
    #[error(
        "expected files or folders of Kubernetes objects with `-f`, but found none; name them, or `-` for standard input"
    )]
    NoInput,
    /// Kubernetes objects, where a Compose file is meant.
    #[error("expected a Compose file, but found Kubernetes objects in {}; add `--target kubernetes` to deploy them on a cluster", path.display())]
    IsForCluster {
        /// The file or folder.
        path: PathBuf,
    },
    /// A flag is for another target.
    #[error("expected flags that mean something with `--target {}`, but found {flag}; leave it out, or name another target", target.as_str())]
    MeaninglessFlag {
        /// The flag.
        flag: &'static str,
        /// The target.
        target: TargetName,
    },
    /// Child processes live as long as the demo does.
    #[error("expected `--target docker` or `--target kubernetes`, but found local; that is for `deploy demo` alone")]
    OnlyDemo,
    /// A Docker Engine knows no permissions.
    #[error("expected `--target kubernetes`, but found another; `deploy rbac` prints the Role that a cluster wants")]
    NoRoles,
    /// The cluster doesn't allow what a deployment needs.
    #[error("nothing was changed")]
    NotAllowed(#[from] deploy_k8s::PermissionError),
    /// No cluster answers.
    #[error("no cluster can be used")]
    Cluster(#[from] deploy_k8s::ConnectError),
    /// The cluster doesn't accept what the objects say.
    #[error("nothing was changed")]
    PrepareObjects(#[source] deploy_k8s::PrepareError),
    /// The folder that the command was started in is gone.
    #[error("expected to find the folder that this runs in; change to another, or name one by `--project-directory`")]
    Folder(#[source] io::Error),
    /// No Engine answers.
    #[error("no Docker Engine can be used")]
    Connect(#[from] ConnectError),
    /// An image can't be had, or a service can't be rendered.
    #[error("nothing was changed")]
    Prepare(#[from] PrepareError),
    /// The journal can't be read.
    #[error("earlier deployments couldn't be read")]
    Journal(#[from] JournalError),
    /// The target doesn't answer.
    #[error("what is there couldn't be observed; nothing was changed")]
    Target(#[from] TargetError),
    /// Somebody else deploys.
    #[error("the lease couldn't be taken; try again, or wait longer with `--lease-wait`")]
    Lease(#[from] LeaseError),
    /// Something of the project couldn't be taken away.
    #[error("expected to take everything away, but something is left; run `deploy down` again to go on")]
    Teardown(#[source] TargetError),
    /// There is nothing to show.
    #[error("the demonstration can't be given")]
    Demo(#[from] DemoError),
    /// The demo's application has settings that make no sense.
    #[error("failed to {0}")]
    Settings(SettingsError),
    /// The demo's application ended.
    #[error("failed to {}", chain(.0))]
    App(AppError),
    /// The demo's application isn't healthy.
    #[error("failed to {}", chain(.0))]
    Unhealthy(ClientError),
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
    /// A smoke check is of a service that isn't deployed.
    #[error("expected a service of the project with `--smoke` ({known}), but found {asked}")]
    NoSuchService {
        /// Whose instances were to be asked.
        asked: ServiceName,
        /// Those that there are.
        known: String,
    },
    /// Nothing of the project is there.
    #[error(
        "expected project {project} on the Docker Engine at {address}, but found nothing of it there; look at `-p` and at the Engine that is meant, or deploy it with `deploy up`"
    )]
    NotDeployed {
        /// The project.
        project: String,
        /// The Engine.
        address: String,
    },
    /// Nothing was deployed in the namespace.
    #[error(
        "expected something deployed in namespace {namespace} of the cluster at {address}, but found nothing; look at `-n` and at the context that is meant, or deploy it with `deploy up`"
    )]
    NotDeployedThere {
        /// The namespace.
        namespace: String,
        /// The API server.
        address: String,
    },
    /// No deployment was about such a service.
    #[error("expected a service that was deployed ({known}), but found {asked}")]
    NotAService {
        /// Whose logs were asked for.
        asked: String,
        /// Those that there are.
        known: String,
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

/// Their texts are told by ours: they are no sources.
macro_rules! told {
    ($($variant:ident($error:ty))*) => {$(
        impl From<$error> for CommandError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

told! {
    Compose(LoadError)
    Input(InputError)
    Settings(SettingsError)
    App(AppError)
    Unhealthy(ClientError)
}

impl CommandError {
    /// How the command ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Engine { exit, .. } => *exit,
            Self::Teardown(_) => Exit::Stopped,
            Self::Journal(_) | Self::Target(_) | Self::Lease(_) | Self::Signals(_) => Exit::Failed,
            Self::Compose(_) | Self::Folder(_) | Self::Input(_) | Self::NoInput => Exit::BadInput,
            Self::IsForCluster { .. } | Self::MeaninglessFlag { .. } => Exit::BadInput,
            Self::OnlyDemo | Self::NoRoles => Exit::BadInput,
            Self::NotAllowed(_) => Exit::Failed,
            Self::Cluster(_) | Self::PrepareObjects(deploy_k8s::PrepareError::Target(_)) => Exit::Failed,
            Self::PrepareObjects(_) | Self::NotAService { .. } => Exit::BadInput,
            Self::Prepare(error) if error.is_bad_input() => Exit::BadInput,
            Self::Connect(_) | Self::Prepare(_) => Exit::Failed,
            Self::App(_) | Self::Unhealthy(_) | Self::Demo(_) => Exit::Failed,
            Self::Settings(_) | Self::NoSuchService { .. } => Exit::BadInput,
            Self::WritePlan { .. }
            | Self::NotDeployed { .. }
            | Self::NotDeployedThere { .. }
            | Self::NothingBefore
            | Self::NotKept { .. } => Exit::Failed,
            Self::PlanFile { .. } | Self::NoSuchVersion { .. } | Self::Ambiguous { .. } | Self::NotDone { .. } => {
                Exit::BadInput
            }
        }
    }

    /// The error with what caused it, in one line or, where candidates or a builder's last lines are listed, more.
    pub fn explain(&self) -> String {
        let mut said = chain(self);
        if let Self::Prepare(PrepareError::Build { lines, .. }) = self {
            lines.iter().for_each(|line| said.push_str(&format!("\n  | {}", printable(line))));
        }
        said
    }
}

/// An error with what caused it.
fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
