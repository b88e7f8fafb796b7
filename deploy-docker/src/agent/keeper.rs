use crate::handle::Handle;
use async_trait::async_trait;
use deploy_core::{
    journal::{Journal, JournalError, Record},
    lease::{Grant, Lease, LeaseError},
    model::{DeploymentId, Fence},
    target::TargetError,
};
use deploy_proxy::agent::Client;

/// Lease and journal, kept by whatever agent is there: when one is gone, the next goes on.
#[derive(Debug)]
pub(crate) struct Keeper(Handle);

impl Keeper {
    pub(crate) fn new(handle: Handle) -> Self {
        Self(handle)
    }

    async fn for_lease(&self) -> Result<Client, LeaseError> {
        self.0.agent().await.map_err(|error| match error {
            TargetError::Fenced { ours, newest } => LeaseError::Lost { ours, newest },
            TargetError::LeaseEnded { ours } => LeaseError::Ended { ours },
            other => LeaseError::Unreachable(other.into()),
        })
    }

    async fn for_journal(&self) -> Result<Client, JournalError> {
        self.0.agent().await.map_err(|error| match error {
            TargetError::Fenced { ours, newest } => JournalError::Fenced { ours, newest },
            TargetError::LeaseEnded { ours } => JournalError::LeaseEnded { ours },
            other => JournalError::Unreachable(other.into()),
        })
    }
}

#[async_trait]
impl Lease for Keeper {
    async fn take(&self, holder: &str) -> Result<Grant, LeaseError> {
        let grant = self.for_lease().await?.take(holder).await?;
        self.0.note_lease(grant.fence).await;
        Ok(grant)
    }

    async fn renew(&self, fence: Fence) -> Result<(), LeaseError> {
        self.for_lease().await?.renew(fence).await
    }

    async fn free(&self, fence: Fence) -> Result<(), LeaseError> {
        self.0.forget_lease(fence).await;
        match self.0.present_agent().await {
            Some(agent) => agent.free(fence).await,
            None => Err(LeaseError::Unreachable("the agent is gone, and the lease was abandoned with it".into())),
        }
    }
}

#[async_trait]
impl Journal for Keeper {
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError> {
        let agent = self.for_journal().await?;
        match agent.append(deployment, record).await {
            // it may be there or not: another agent tells
            Err(JournalError::Unreachable(_)) if agent.is_over() => {
                let agent = self.for_journal().await?;
                match agent.read(deployment).await?.last() {
                    Some(last) if last == record => Ok(()),
                    _ => agent.append(deployment, record).await,
                }
            }
            answer => answer,
        }
    }

    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError> {
        let agent = self.for_journal().await?;
        match agent.read(deployment).await {
            Err(JournalError::Unreachable(_)) if agent.is_over() => self.for_journal().await?.read(deployment).await,
            answer => answer,
        }
    }

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        let agent = self.for_journal().await?;
        match agent.deployments().await {
            Err(JournalError::Unreachable(_)) if agent.is_over() => self.for_journal().await?.deployments().await,
            answer => answer,
        }
    }
}
