use crate::{
    agent::Keeper,
    connect::{ConnectError, ConnectOptions, Connection},
    handle::Handle,
    prepare::{PrepareError, Prepared, Tell},
    proxy_image::ProxyImage,
    router::DockerRouter,
    shared::Shared,
    target::DockerTarget,
};
use deploy_compose::model::Project;
use deploy_core::{
    journal::Journal,
    lease::Lease,
    model::{Fence, RouterId, TargetId},
    router::Router,
    target::{Target, TargetError},
};
use std::{path::PathBuf, sync::Arc};

/// A Docker Engine that has answered.
#[derive(Clone, Debug)]
pub struct DockerHost {
    pub(crate) connection: Connection,
    config_folder: Option<PathBuf>,
}

/// How a project is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// An image that holds an executable with our hook at `/deploy`, for proxies and the agent. Absent: this program's
    /// own executable, which must be static and run on the Engine's platform.
    pub proxy_image: Option<String>,
}

/// A project on an Engine.
#[derive(Clone, Debug)]
pub struct DockerProject {
    handle: Handle,
    config_folder: Option<PathBuf>,
}

impl DockerHost {
    /// Finds the Engine as the `docker` command does, and waits for its first answer.
    ///
    /// # Errors
    /// [`ConnectError`], which says what to do.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        let connection = Connection::open(options).await?;
        Ok(Self { connection, config_folder: options.config_folder.clone() })
    }

    /// The Engine's address, for people.
    pub fn address(&self) -> &str {
        &self.connection.address
    }

    /// Opens a project by its name, which is also its target's; no Compose file is needed. Nothing is asked of the
    /// Engine yet.
    pub fn open(&self, project: &str, options: OpenOptions) -> DockerProject {
        let (connection, target) = (self.connection.clone(), TargetId::new(project));
        let shared = Shared { connection, project: project.to_owned(), target, warnings: Arc::default() };
        let handle = Handle::new(shared, ProxyImage::new(options.proxy_image));
        DockerProject { handle, config_folder: self.config_folder.clone() }
    }
}

impl DockerProject {
    /// The hands.
    pub fn target(&self) -> Arc<dyn Target> {
        Arc::new(DockerTarget::new(self.handle.clone()))
    }

    /// What sends requests: the project's proxies.
    pub fn router(&self) -> Arc<dyn Router> {
        Arc::new(DockerRouter::new(self.handle.clone()))
    }

    /// The router's name, without asking for the router.
    pub fn router_id(&self) -> RouterId {
        self.handle.router_id()
    }

    /// Whether anything of the project is on the Engine, state or containers. Starts nothing.
    ///
    /// # Errors
    /// Where the Engine doesn't answer.
    pub async fn is_there(&self) -> Result<bool, TargetError> {
        let (state, containers) = tokio::try_join!(self.handle.has_state(), self.handle.containers())?;
        Ok(state || !containers.is_empty())
    }

    /// Who may deploy, as the agent in the project's state volume keeps it. Starts the agent if it doesn't run.
    ///
    /// # Errors
    /// Where no agent can be started.
    pub async fn lease(&self) -> Result<Arc<dyn Lease>, TargetError> {
        self.keeper().await.map(|keeper| keeper as Arc<dyn Lease>)
    }

    /// The journal, as the agent keeps it. Starts the agent if it doesn't run.
    ///
    /// # Errors
    /// Where no agent can be started.
    pub async fn journal(&self) -> Result<Arc<dyn Journal>, TargetError> {
        self.keeper().await.map(|keeper| keeper as Arc<dyn Journal>)
    }

    async fn keeper(&self) -> Result<Arc<Keeper>, TargetError> {
        self.handle.agent().await?;
        Ok(Arc::new(Keeper::new(self.handle.clone())))
    }

    /// Pulls and builds what isn't there, and renders every service of the project.
    ///
    /// # Errors
    /// [`PrepareError`], before anything of the project has changed.
    pub async fn prepare(&self, project: &Project, tell: Tell<'_>) -> Result<Prepared, PrepareError> {
        self.handle.prepare(project, self.config_folder.as_ref(), tell).await
    }

    /// The named volumes that the project made for its data, whether or not anything of it runs.
    ///
    /// # Errors
    /// Where the Engine doesn't answer.
    pub async fn data_volumes(&self) -> Result<Vec<String>, TargetError> {
        self.handle.data_volumes().await
    }

    /// Takes the project away: its containers, proxies, networks and the state; with `data` the volumes that it made too,
    /// without a name of their own or with one. Yields those with one, gone or not. Images stay, and whatever others use.
    /// The caller holds the lease, which ends with the state. Calling it again goes on where it was interrupted.
    ///
    /// # Errors
    /// [`TargetError::Fenced`] where the lease is somebody else's; otherwise what couldn't be taken away.
    pub async fn down(&self, fence: Fence, data: bool) -> Result<Vec<String>, TargetError> {
        self.handle.tear_down(fence, data).await
    }
}
