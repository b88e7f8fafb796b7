use crate::{
    container::Container,
    error::if_there,
    image::EXECUTABLE,
    labels::{self, compose},
    proxy_image::ProxyImage,
    shared::{Shared, Tried},
};
use bollard::{
    container::LogOutput,
    errors::Error,
    exec::{StartExecOptions, StartExecResults},
    models::{ContainerCreateBody, ExecConfig, HostConfig, HostConfigLogConfig, Mount, MountType, VolumeCreateRequest},
    query_parameters::{AttachContainerOptions, CreateContainerOptions, ListNetworksOptions},
};
use deploy_core::target::TargetError;
use deploy_proxy::agent::{AgentArgs, Client, ClientOptions};
use futures_util::{Stream, StreamExt};
use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_util::io::StreamReader;

/// Where the state volume is mounted in proxies and agents.
pub(crate) const STATE: &str = "/state";

/// How long a proxy that runs may refuse an agent before that is the answer.
const PROXY_BACK_BY: Duration = Duration::from_secs(5);
/// The pause before the next attempt.
const AGAIN: Duration = Duration::from_millis(100);

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;
type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// An agent that has been greeted.
#[derive(Debug)]
pub(super) struct Started {
    /// The id of the container that it runs in.
    pub(super) container: String,
    /// Whether that container is its own, and can join further networks of the project.
    pub(super) joins_networks: bool,
    pub(super) client: Client,
}

impl Shared {
    /// Starts an agent and greets it: an exec in one of the project's proxies, or a short-lived container where none
    /// runs. Not in the container `except`.
    pub(super) async fn start_agent(&self, image: &ProxyImage, except: Option<&str>) -> Result<Started, TargetError> {
        self.make_state_volume().await?;
        let until = Instant::now() + PROXY_BACK_BY;
        loop {
            let proxies = self.containers().await?;
            let is_host = |one: &Container| {
                one.kind() == labels::PROXY && one.is_running() && except.is_none_or(|except| one.id != except)
            };
            let Some(proxy) = proxies.into_iter().find(is_host) else { break };
            match self.agent_in_proxy(&proxy).await {
                // it ends, or starts again, in this very moment
                Err(_) if Instant::now() < until => tokio::time::sleep(AGAIN).await,
                answer => return answer,
            }
        }
        let network = self.a_network().await?;
        let (container, io) = self.run_agent(&image.name(&self.connection).await?, network.as_deref()).await?;
        Ok(Started { container, joins_networks: network.is_some(), client: greet(io).await? })
    }

    async fn agent_in_proxy(&self, proxy: &Container) -> Result<Started, TargetError> {
        let io = self.exec_agent(&proxy.name).await?;
        Ok(Started { container: proxy.id.clone(), joins_networks: false, client: greet(io).await? })
    }

    /// Whether the project has state, which only a deployment and its plan make.
    pub(crate) async fn has_state(&self) -> Result<bool, TargetError> {
        let name = self.state_volume();
        let found = if_there(self.docker().inspect_volume(&name).await);
        Ok(found.tried(|| format!("look at the volume {name}"))?.is_some())
    }

    async fn make_state_volume(&self) -> Result<(), TargetError> {
        let name = self.state_volume();
        let labels = labels::ours(&self.project, labels::STATE);
        let request = VolumeCreateRequest { name: Some(name.clone()), labels: Some(labels), ..Default::default() };
        self.docker().create_volume(request).await.tried(|| format!("make the volume {name}")).map(|_| ())
    }

    async fn exec_agent(&self, proxy: &str) -> Result<(Output, Input), TargetError> {
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some([vec![EXECUTABLE.to_owned()], arguments()].concat()),
            ..ExecConfig::default()
        };
        // whatever the Engine says: the proxy may be about to start again
        let failed = |error: Error| TargetError::unreachable(format!("an agent in {proxy}"), error);
        let exec = self.docker().create_exec(proxy, config).await.map_err(failed)?;
        let options = StartExecOptions { detach: false, ..Default::default() };
        match self.docker().start_exec(&exec.id, Some(options)).await.map_err(failed)? {
            StartExecResults::Attached { output, input } => Ok((output, input)),
            StartExecResults::Detached => Err(failed(Error::from(io::Error::from(io::ErrorKind::NotConnected)))),
        }
    }

    /// A network of the project, if there is one already: Compose made it, and what it runs there is about to be taken
    /// over.
    async fn a_network(&self) -> Result<Option<String>, TargetError> {
        let label = format!("{}={}", compose::PROJECT, self.project);
        let filters =
            HashMap::from([("label".to_owned(), vec![label]), ("driver".to_owned(), vec!["bridge".to_owned()])]);
        let found = self.docker().list_networks(Some(ListNetworksOptions { filters: Some(filters) })).await;
        let found = found.tried(|| format!("list the networks of {}", self.project))?;
        Ok(found.into_iter().filter_map(|network| network.name).min())
    }

    /// Removed by the Engine once it ends. Without a network it can't probe: where there is none, nothing runs yet.
    async fn run_agent(&self, image: &str, network: Option<&str>) -> Result<(String, (Output, Input)), TargetError> {
        let name = format!("{}-deploy-agent-{}", self.project, unique());
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec![EXECUTABLE.to_owned()]),
            cmd: Some(arguments()),
            labels: Some(labels::ours(&self.project, labels::AGENT)),
            open_stdin: Some(true),
            stdin_once: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            host_config: Some(HostConfig {
                auto_remove: Some(true),
                network_mode: Some(network.unwrap_or("none").to_owned()),
                log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
                mounts: Some(vec![self.state_mount()]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let doing = || format!("start the agent {name}");
        let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
        let attach =
            AttachContainerOptions { stdin: true, stdout: true, stderr: true, stream: true, ..Default::default() };
        let started = async {
            let made = self.docker().create_container(Some(options), body).await.tried(doing)?;
            // attached before the start, so that no word is lost
            let attached = self.docker().attach_container(&name, Some(attach)).await.tried(doing)?;
            self.docker().start_container(&name, None).await.tried(doing)?;
            Ok((made.id, (attached.output, attached.input)))
        };
        let started = started.await;
        if started.is_err() {
            // it may be there, although nobody said so
            let _ = if_there(self.docker().remove_container(&name, None).await);
        }
        started
    }

    /// The state volume, as proxies and agents mount it.
    pub(crate) fn state_mount(&self) -> Mount {
        Mount {
            typ: Some(MountType::VOLUME),
            source: Some(self.state_volume()),
            target: Some(STATE.to_owned()),
            ..Mount::default()
        }
    }
}

fn arguments() -> Vec<String> {
    AgentArgs::new(STATE).to_args().into_iter().map(|arg| arg.to_string_lossy().into_owned()).collect()
}

async fn greet((output, input): (Output, Input)) -> Result<Client, TargetError> {
    let words = Arc::new(Mutex::new(String::new()));
    let io = tokio::io::join(reader(output, Arc::clone(&words)), input);
    Client::connect(io, ClientOptions::default()).await.map_err(|error| {
        let said = words.lock().unwrap_or_else(PoisonError::into_inner).trim().to_owned();
        match said.is_empty() {
            true => TargetError::unreachable("the agent", error),
            false => TargetError::unreachable(format!("the agent, which said: {said}"), error),
        }
    })
}

/// What it writes to its standard output; the other output is collected for people.
fn reader(output: Output, words: Arc<Mutex<String>>) -> impl AsyncRead + Unpin + Send + 'static {
    let bytes = output.filter_map(move |frame| {
        let bytes = match frame {
            Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => Some(Ok(message)),
            Ok(LogOutput::StdErr { message }) => {
                let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                words.push_str(&String::from_utf8_lossy(&message));
                None
            }
            Ok(LogOutput::StdIn { .. }) => None,
            Err(error) => Some(Err(io::Error::other(error))),
        };
        std::future::ready(bytes)
    });
    StreamReader::new(Box::pin(bytes))
}

/// A name that no other agent has.
fn unique() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", std::process::id(), now.as_nanos())
}
