use super::SimWorld;
use crate::{
    journal::{Journal, JournalError, MemoryJournal, Record},
    model::DeploymentId,
};
use async_trait::async_trait;
use std::sync::Arc;

/// The journal of a [`SimWorld`]: it outlives deployers, and refuses records under an older fence than the lease's newest.
#[derive(Debug)]
pub struct SimJournal {
    world: SimWorld,
    records: Arc<MemoryJournal>,
}

impl SimJournal {
    pub(super) fn new(world: SimWorld, records: Arc<MemoryJournal>) -> Self {
        Self { world, records }
    }
}

#[async_trait]
impl Journal for SimJournal {
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError> {
        self.world.travel().await;
        let newest = self.world.look().lease.newest;
        if record.fence < newest {
            return Err(JournalError::Fenced { ours: record.fence, newest });
        }
        self.records.append(deployment, record).await?;
        self.world.travel().await;
        Ok(())
    }

    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError> {
        self.world.travel().await;
        self.records.read(deployment).await
    }

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        self.world.travel().await;
        self.records.deployments().await
    }
}
