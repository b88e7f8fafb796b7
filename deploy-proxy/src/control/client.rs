//! A client of one proxy.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deploy_core::model::{DeploymentId, Fence};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use super::address::Address;
use super::command::{Answer, Command, Refusal, Stats};
use super::link::{Hello, Link, LinkError};
use super::listener::ListenerSpec;
use super::probe::{Probe, ProbeOutcome};
use super::routes::{InstanceName, RouteState, Routes};
use crate::agent::AgentError;

/// Why a proxy couldn't be reached.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody listens on the socket.
    #[error("could not connect to {path}; start the proxy, or wait until it has started")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The greeting failed.
    #[error("could not greet the proxy")]
    Greeting(#[source] LinkError),
}

/// Why a proxy gave no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AskError {
    /// The proxy refused, and changed nothing.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The connection failed. Whether anything was changed is unknown.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The agent between couldn't pass the question on.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The proxy answered another question.
    #[error("expected an answer about {about}, but found {found}; use the same version on both sides")]
    OffTopic {
        /// What was asked.
        about: &'static str,
        /// What came.
        found: String,
    },
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Requests still in flight; 0 unless the deadline passed.
    pub remaining: u64,
    /// Byte connections and upgraded ones that were closed at the deadline.
    pub closed: u64,
}

/// The way to a proxy: a connection, or the agent beside it.
#[async_trait]
pub trait Ask: Send + Sync {
    /// Asks, and waits for the answer without a time limit.
    async fn ask(&self, command: &Command) -> Result<Answer, AskError>;
}

#[async_trait]
impl Ask for Link<Command, Answer, Refusal> {
    async fn ask(&self, command: &Command) -> Result<Answer, AskError> {
        Ok(Link::ask(self, command).await??)
    }
}

/// The asking side of a connection to a proxy. Questions run side by side; share it in an `Arc`.
///
/// No call has a time limit of its own: wrap it in one.
pub struct Client {
    service: String,
    way: Arc<dyn Ask>,
}

impl Client {
    /// Connects to the Unix socket of a proxy.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] where nobody listens there or speaks no common version.
    pub async fn connect(path: &Path) -> Result<Self, ConnectError> {
        let stream =
            UnixStream::connect(path).await.map_err(|source| ConnectError::Socket { path: path.to_owned(), source })?;
        Self::over(stream).await.map_err(ConnectError::Greeting)
    }

    /// Greets a proxy over a connection that exists.
    ///
    /// # Errors
    ///
    /// [`LinkError`] where the stream fails or the two speak no common version.
    pub async fn over<S>(io: S) -> Result<Self, LinkError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let link = Link::open(io, &Hello::new("client")).await?;
        Ok(Self::through(link.theirs().name.clone(), Arc::new(link)))
    }

    /// Speaks to a service's proxy on another way.
    #[must_use]
    pub fn through(service: String, way: Arc<dyn Ask>) -> Self {
        Self { service, way }
    }

    /// The name of the service that the proxy answers for.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Asks anything.
    ///
    /// # Errors
    ///
    /// [`AskError::Refused`] or [`AskError::Link`].
    pub async fn ask(&self, command: &Command) -> Result<Answer, AskError> {
        self.way.ask(command).await
    }

    /// The routes in force.
    ///
    /// # Errors
    ///
    /// [`AskError`], never refused.
    pub async fn routes(&self) -> Result<RouteState, AskError> {
        expect_routes(self.ask(&Command::GetRoutes).await?)
    }

    /// Replaces the routes that were read at `expected_revision`. When this returns, they are durable and in force.
    ///
    /// # Errors
    ///
    /// Refused with [`Refusal::StaleFence`], [`Refusal::WrongRevision`], [`Refusal::BadRoutes`] or
    /// [`Refusal::Storage`].
    pub async fn set_routes(
        &self,
        fence: Fence,
        expected_revision: u64,
        deployment: Option<DeploymentId>,
        routes: Routes,
    ) -> Result<RouteState, AskError> {
        expect_routes(self.ask(&Command::SetRoutes { fence, expected_revision, deployment, routes }).await?)
    }

    /// Refuses everybody with a lower fence from now on.
    ///
    /// # Errors
    ///
    /// Refused with [`Refusal::StaleFence`] or [`Refusal::Storage`].
    pub async fn raise_fence(&self, fence: Fence) -> Result<RouteState, AskError> {
        expect_routes(self.ask(&Command::RaiseFence { fence }).await?)
    }

    /// Waits until nothing is in flight to an instance, at most as long as `deadline`.
    ///
    /// # Errors
    ///
    /// Refused with [`Refusal::StaleFence`] or [`Refusal::StillRouted`].
    pub async fn drain(&self, fence: Fence, instance: InstanceName, deadline: Duration) -> Result<Drained, AskError> {
        let deadline_ms = millis(deadline);
        match self.ask(&Command::Drain { fence, instance, deadline_ms }).await? {
            Answer::Drained { remaining, closed } => Ok(Drained { remaining, closed }),
            other => Err(off_topic("a drain", &other)),
        }
    }

    /// Counters.
    ///
    /// # Errors
    ///
    /// [`AskError`], never refused.
    pub async fn stats(&self) -> Result<Stats, AskError> {
        match self.ask(&Command::Stats).await? {
            Answer::Stats(stats) => Ok(stats),
            other => Err(off_topic("counters", &other)),
        }
    }

    /// Looks once at an address from where the proxy is.
    ///
    /// # Errors
    ///
    /// [`AskError`], never refused: what is wrong with the instance is in the outcome.
    pub async fn probe(&self, probe: Probe, timeout: Duration) -> Result<ProbeOutcome, AskError> {
        match self.ask(&Command::Probe { probe, timeout_ms: millis(timeout) }).await? {
            Answer::Probed(outcome) => Ok(outcome),
            other => Err(off_topic("a probe", &other)),
        }
    }

    /// Looks once whether `address` accepts a connection.
    ///
    /// # Errors
    ///
    /// Those of [`Client::probe`].
    pub async fn probe_tcp(&self, address: Address, timeout: Duration) -> Result<ProbeOutcome, AskError> {
        self.probe(Probe::Tcp { address }, timeout).await
    }

    /// Opens a further port; the answer lists all that are open.
    ///
    /// # Errors
    ///
    /// Refused with [`Refusal::StaleFence`] or [`Refusal::Listener`].
    pub async fn listen(&self, fence: Fence, listener: ListenerSpec) -> Result<Vec<ListenerSpec>, AskError> {
        expect_listening(self.ask(&Command::Listen { fence, listener }).await?)
    }

    /// Closes a port to new connections; the answer lists those still open.
    ///
    /// # Errors
    ///
    /// Refused with [`Refusal::StaleFence`] or [`Refusal::Listener`].
    pub async fn unlisten(&self, fence: Fence, port: u16) -> Result<Vec<ListenerSpec>, AskError> {
        expect_listening(self.ask(&Command::Unlisten { fence, port }).await?)
    }

    /// Ends the proxy in good order.
    ///
    /// # Errors
    ///
    /// Refused with [`Refusal::StaleFence`].
    pub async fn shutdown(&self, fence: Fence, grace: Duration) -> Result<(), AskError> {
        match self.ask(&Command::Shutdown { fence, grace_ms: millis(grace) }).await? {
            Answer::ShuttingDown { .. } => Ok(()),
            other => Err(off_topic("shutting down", &other)),
        }
    }
}

fn expect_routes(answer: Answer) -> Result<RouteState, AskError> {
    match answer {
        Answer::Routes(state) => Ok(state),
        other => Err(off_topic("routes", &other)),
    }
}

fn expect_listening(answer: Answer) -> Result<Vec<ListenerSpec>, AskError> {
    match answer {
        Answer::Listening(open) => Ok(open),
        other => Err(off_topic("listeners", &other)),
    }
}

fn off_topic(about: &'static str, found: &Answer) -> AskError {
    AskError::OffTopic { about, found: format!("{found:?}") }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
