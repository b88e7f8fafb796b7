use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deploy_core::engine::{Engine, EngineBuilder, Request};
use deploy_core::journal::Journal;
use deploy_core::lease::Lease;
use deploy_core::model::{DeploymentId, Fence, RouterId, StepId, TargetId};
use deploy_core::router::Router;
use deploy_core::target::{Cx, Target, TargetError};
use deploy_proxy::agent::{AgentArgs, AgentError, Client, ClientOptions, DEFAULT_TTL, Key, State, boot_id};
use tokio::process::Command;
use tokio::time::Instant;

use crate::instances::Instances;
use crate::prober::LocalProber;
use crate::router::LocalRouter;
use crate::service::digest;
use crate::shared::Shared;
use crate::target::LocalTarget;
use crate::watch::Watch;
use crate::{LocalError, LocalService};

/// Set in what is started as an agent: without the hook it would come back here, and start another.
const AGENT: &str = "DEPLOY_LOCAL_AGENT";

/// Where and how services are run.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// The state folder: one for services that are deployed together.
    pub state: PathBuf,
    /// What agent and proxies are started from; its `main` calls [`deploy_proxy::hook`]. By default this program.
    pub executable: Option<PathBuf>,
    /// What plans call this place.
    pub target: TargetId,
    /// How long the lease holds unless it is renewed.
    pub ttl: Duration,
}

impl LocalOptions {
    /// This folder, and what is usual otherwise.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self { state: state.into(), executable: None, target: "local".into(), ttl: DEFAULT_TTL }
    }
}

/// A state folder, opened: target, router, lease and journal of the services in it.
///
/// Dropping it ends the agent, and abandons a lease that is still held; the services go on.
pub struct Local {
    shared: Arc<Shared>,
    target: Arc<LocalTarget>,
    router: Arc<LocalRouter>,
    key: Key,
}

impl Local {
    /// Opens a state folder, which is made if it isn't there, and starts an agent for it.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn open(options: LocalOptions) -> Result<Self, LocalError> {
        let executable = match options.executable {
            Some(executable) => executable,
            None => std::env::current_exe().map_err(LocalError::Executable)?,
        };
        if std::env::var_os(AGENT).is_some() {
            return Err(LocalError::NoHook { executable });
        }
        let state = State::open(&options.state, options.ttl)?;
        let state = State::open(state.folder().canonicalize().unwrap_or(options.state), options.ttl)?;
        let boot_id = boot_id()?;
        let instances = Instances::open(state.folder(), &boot_id)?;
        let agent = start_agent(&state, options.ttl, &executable).await?;
        let failed = |source| LocalError::Agent { executable: executable.clone(), source };
        let key = agent.key().await.map_err(failed)?;
        let shared = Arc::new(Shared {
            target: options.target,
            router: RouterId::new("proxy"),
            id: digest(&key, "state folder"),
            boot_id,
            state,
            agent,
            executable,
            instances,
            watch: Watch::new(),
            ends: Mutex::new(HashMap::new()),
        });
        let prober = LocalProber { shared: Arc::clone(&shared) };
        let target = Arc::new(LocalTarget { shared: Arc::clone(&shared), prober });
        let router = Arc::new(LocalRouter { shared: Arc::clone(&shared) });
        Ok(Self { shared, target, router, key })
    }

    /// Runs processes.
    pub fn target(&self) -> Arc<dyn Target> {
        self.target.clone()
    }

    /// Sends requests to them.
    pub fn router(&self) -> Arc<dyn Router> {
        self.router.clone()
    }

    /// Who may deploy here.
    pub fn lease(&self) -> Arc<dyn Lease> {
        Arc::new(self.shared.agent.clone())
    }

    /// What was done here.
    pub fn journal(&self) -> Arc<dyn Journal> {
        Arc::new(self.shared.agent.clone())
    }

    /// An engine that deploys here.
    pub fn engine(&self) -> EngineBuilder {
        Engine::builder(self.target(), self.lease(), self.journal()).router(self.router())
    }

    /// What an engine is asked so that these services run: their releases, named by a hash of all that they are started
    /// from. Changes nothing.
    ///
    /// # Errors
    /// [`LocalError::Service`] for the first that can't be run as it is described.
    pub fn request(&self, services: &[LocalService]) -> Result<Request, LocalError> {
        let mut request = Request { services: Vec::new(), payloads: Default::default() };
        for service in services {
            let (release, payload) = service.release(&self.key)?;
            request.payloads.insert(release.id.clone(), payload);
            request.services.push(service.spec(&self.shared.target, &self.shared.router, release));
        }
        Ok(request)
    }

    /// Ends all services and forgets their releases; the journal stays. The caller holds the lease.
    ///
    /// # Errors
    /// [`TargetError::Fenced`] where it doesn't; otherwise what couldn't be ended. Calling it again goes on.
    pub async fn down(&self, fence: Fence, limit: Duration) -> Result<(), TargetError> {
        let (deployment, step) = (DeploymentId(0), StepId::new("down"));
        self.shared.down(&Cx { deployment, step, fence, deadline: Instant::now() + limit }).await
    }
}

/// Starts an agent as a child process that ends with us.
async fn start_agent(state: &State, ttl: Duration, executable: &PathBuf) -> Result<Client, LocalError> {
    let args = AgentArgs { ttl, ..AgentArgs::new(state.folder()) };
    let mut command = Command::new(executable);
    command.args(args.to_args()).env(AGENT, "1");
    // Ctrl-C is for the deployer, which then tells the agent
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let start = |source| LocalError::Start { executable: executable.clone(), source };
    let mut child = command.spawn().map_err(start)?;
    let (Some(stdout), Some(stdin)) = (child.stdout.take(), child.stdin.take()) else {
        return Err(start(std::io::ErrorKind::BrokenPipe.into()));
    };
    tokio::spawn(async move { child.wait().await });
    let options = ClientOptions { silence: ttl, beat: (ttl / 6).min(ClientOptions::default().beat) };
    let connected = Client::connect(tokio::io::join(stdout, stdin), options).await;
    connected.map_err(|source: AgentError| LocalError::Agent { executable: executable.clone(), source })
}
