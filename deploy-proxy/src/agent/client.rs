//! The deployer's side of the conversation with an agent.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use deploy_core::journal::{Journal, JournalError, Record};
use deploy_core::lease::{Grant, Lease, LeaseError};
use deploy_core::model::{DeploymentId, Fence, Millis, Payload, ReleaseId};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::message::{Key, Secret};
use super::{Answer, DEFAULT_TTL, Refusal, Request, journal};
use crate::control::{self, Ask, AskError, Command, Hello, Link, LinkError, ProbeOutcome};

/// Why an agent gave no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The agent refused, and changed nothing.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The connection failed. Whether anything was changed is unknown.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Nothing was heard of the agent for too long. Whether anything was changed is unknown.
    #[error(
        "expected to hear of the agent within {after}, but found silence; look at the link to it, then connect again"
    )]
    Silent {
        /// How long it was silent.
        after: Millis,
    },
    /// The agent answered another question.
    #[error("expected an answer about {about}, but found another; use the same version on both sides")]
    OffTopic {
        /// What was asked.
        about: &'static str,
    },
}

/// How a client keeps in touch with its agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// How long the agent may be silent until everything that waits for it fails.
    pub silence: Duration,
    /// The pause between two heartbeats.
    pub beat: Duration,
}

impl Default for ClientOptions {
    /// 15 s, and every 2 s.
    fn default() -> Self {
        Self { silence: DEFAULT_TTL, beat: Duration::from_secs(2) }
    }
}

/// The asking side of a connection to an agent: its lease and its journal, payloads, the proxies beside it.
///
/// A clone is the same connection. When the last one is dropped, the connection closes, and a lease that it holds is
/// abandoned. Calls have no time limit but the agent's silence: wrap them in one.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    link: Link<Request, Answer, Refusal>,
    silence: Duration,
    silent: CancellationToken,
}

impl Client {
    /// Greets an agent over a connection that exists, and begins with heartbeats.
    ///
    /// # Errors
    /// [`AgentError::Link`] where the two speak no common version, [`AgentError::Silent`] where no greeting comes.
    pub async fn connect<S>(io: S, options: ClientOptions) -> Result<Self, AgentError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let ClientOptions { silence, beat } = options;
        let link = timeout(silence, Link::open(io, &Hello::new("deployer"))).await;
        let link = link.map_err(|_| AgentError::Silent { after: silence.into() })??;
        let shared = Arc::new(Shared { link, silence, silent: CancellationToken::new() });
        tokio::spawn(heartbeats(Arc::downgrade(&shared), beat));
        Ok(Self { shared })
    }

    /// Asks anything.
    ///
    /// # Errors
    /// [`AgentError`].
    ///
    /// # Cancellation
    /// A dropped question may still be acted on.
    pub async fn ask(&self, request: &Request) -> Result<Answer, AgentError> {
        tokio::select! {
            answer = self.shared.link.ask(request) => Ok(answer??),
            () = self.shared.silent.cancelled() => Err(AgentError::Silent { after: self.shared.silence.into() }),
        }
    }

    async fn done(&self, request: &Request) -> Result<(), AgentError> {
        match self.ask(request).await? {
            Answer::Done => Ok(()),
            _ => Err(AgentError::OffTopic { about: "a change" }),
        }
    }

    /// Whether the connection has ended, so that no question is answered any more.
    pub fn is_over(&self) -> bool {
        self.shared.link.is_over() || self.shared.silent.is_cancelled()
    }

    /// Goes on with a lease that was taken through another agent, which is gone or will be dropped next.
    ///
    /// # Errors
    /// Refused with [`Refusal::NotHeld`] once somebody else has it, with [`Refusal::Ended`] once it has ended.
    pub async fn retake(&self, fence: Fence) -> Result<(), AgentError> {
        match self.ask(&Request::RetakeLease { fence }).await? {
            Answer::Granted(_) => Ok(()),
            _ => Err(AgentError::OffTopic { about: "the lease" }),
        }
    }

    /// Whether the fence is the newest and its lease holds.
    ///
    /// # Errors
    /// Refused with [`Refusal::NotHeld`] or [`Refusal::Ended`] where not.
    pub async fn check(&self, fence: Fence) -> Result<(), AgentError> {
        self.done(&Request::CheckFence { fence }).await
    }

    /// The key of the state folder, made when it is asked for first.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn key(&self) -> Result<Key, AgentError> {
        match self.ask(&Request::Key).await? {
            Answer::Key(key) => Ok(key),
            _ => Err(AgentError::OffTopic { about: "the key" }),
        }
    }

    /// Keeps a release's payload.
    ///
    /// # Errors
    /// Refused with [`Refusal::NotHeld`], [`Refusal::Ended`], [`Refusal::BadName`] or [`Refusal::Storage`].
    pub async fn store(&self, fence: Fence, release: &ReleaseId, payload: &Payload) -> Result<(), AgentError> {
        let payload = Secret(payload.expose().to_owned());
        self.done(&Request::StorePayload { fence, release: release.clone(), payload }).await
    }

    /// A release's payload; none where none is kept.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn load(&self, release: &ReleaseId) -> Result<Option<Payload>, AgentError> {
        match self.ask(&Request::LoadPayload { release: release.clone() }).await? {
            Answer::Payload(payload) => Ok(payload.map(|Secret(text)| Payload::new(text))),
            _ => Err(AgentError::OffTopic { about: "a payload" }),
        }
    }

    /// The releases with a payload, in order.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn stored(&self) -> Result<Vec<ReleaseId>, AgentError> {
        match self.ask(&Request::ListPayloads).await? {
            Answer::Payloads(releases) => Ok(releases),
            _ => Err(AgentError::OffTopic { about: "payloads" }),
        }
    }

    /// Takes a payload away; it may be gone already.
    ///
    /// # Errors
    /// Refused with [`Refusal::NotHeld`], [`Refusal::Ended`] or [`Refusal::Storage`].
    pub async fn discard(&self, fence: Fence, release: &ReleaseId) -> Result<(), AgentError> {
        self.done(&Request::RemovePayload { fence, release: release.clone() }).await
    }

    /// Looks once at an address from where the agent is.
    ///
    /// # Errors
    /// [`AgentError`]; what is wrong with the instance is in the outcome.
    pub async fn probe(&self, probe: control::Probe, timeout: Duration) -> Result<ProbeOutcome, AgentError> {
        let timeout_ms = Millis::from(timeout).0;
        match self.ask(&Request::Probe { probe, timeout_ms }).await? {
            Answer::Probed(outcome) => Ok(outcome),
            _ => Err(AgentError::OffTopic { about: "a probe" }),
        }
    }

    /// A service's proxy, spoken to through the agent, which waits at most so long for it to answer.
    pub fn proxy(&self, service: impl Into<String>, wait: Duration) -> control::Client {
        let service = service.into();
        let through = Through { agent: self.clone(), service: service.clone(), wait_ms: Millis::from(wait).0 };
        control::Client::through(service, Arc::new(through))
    }
}

/// Asks for a sign of life until the client is gone; without one within its time, the agent counts as silent.
async fn heartbeats(client: Weak<Shared>, beat: Duration) {
    while let Some(shared) = client.upgrade() {
        match timeout(shared.silence, shared.link.ask(&Request::Beat)).await {
            Ok(Ok(_)) => {}
            _ => return shared.silent.cancel(),
        }
        drop(shared);
        sleep(beat).await;
    }
}

/// The way to a proxy through its agent.
struct Through {
    agent: Client,
    service: String,
    wait_ms: u64,
}

#[async_trait]
impl Ask for Through {
    async fn ask(&self, command: &Command) -> Result<control::Answer, AskError> {
        let (service, command) = (self.service.clone(), command.clone());
        match self.agent.ask(&Request::Proxy { service, wait_ms: self.wait_ms, command }).await {
            Ok(Answer::Proxy(answer)) => Ok(answer),
            Ok(_) => Err(AgentError::OffTopic { about: "a proxy" }.into()),
            Err(AgentError::Refused(Refusal::Proxy(refusal))) => Err(refusal.into()),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl Lease for Client {
    async fn take(&self, holder: &str) -> Result<Grant, LeaseError> {
        match self.ask(&Request::TakeLease { holder: holder.to_owned() }).await {
            Ok(Answer::Granted(grant)) => Ok(grant),
            Ok(_) => Err(lease_error(AgentError::OffTopic { about: "the lease" })),
            Err(error) => Err(lease_error(error)),
        }
    }

    async fn renew(&self, fence: Fence) -> Result<(), LeaseError> {
        self.done(&Request::RenewLease { fence }).await.map_err(lease_error)
    }

    async fn free(&self, fence: Fence) -> Result<(), LeaseError> {
        self.done(&Request::FreeLease { fence }).await.map_err(lease_error)
    }
}

fn lease_error(error: AgentError) -> LeaseError {
    match error {
        AgentError::Refused(Refusal::Held { holder, left }) => LeaseError::Held { holder, left },
        AgentError::Refused(Refusal::NotHeld { ours, newest, .. }) => LeaseError::Lost { ours, newest },
        AgentError::Refused(Refusal::Ended { ours, .. }) => LeaseError::Ended { ours },
        other => LeaseError::Unreachable(other.into()),
    }
}

#[async_trait]
impl Journal for Client {
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError> {
        let record = Box::new(record.clone());
        self.done(&Request::Append { deployment, record }).await.map_err(journal::error)
    }

    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError> {
        match self.ask(&Request::ReadJournal { deployment }).await {
            Ok(Answer::Records(records)) => Ok(records),
            Ok(_) => Err(journal::error(AgentError::OffTopic { about: "a journal" })),
            Err(error) => Err(journal::error(error)),
        }
    }

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        match self.ask(&Request::ListDeployments).await {
            Ok(Answer::Deployments(deployments)) => Ok(deployments),
            Ok(_) => Err(journal::error(AgentError::OffTopic { about: "the journals" })),
            Err(error) => Err(journal::error(error)),
        }
    }
}
