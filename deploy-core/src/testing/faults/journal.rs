use super::{CallKind, Faults, own};
use crate::{
    journal::{Journal, JournalError, Record},
    model::DeploymentId,
};
use async_trait::async_trait;
use std::sync::Arc;

/// A journal with faults.
pub(super) struct FaultyJournal {
    pub(super) inner: Arc<dyn Journal>,
    pub(super) faults: Faults,
}

#[async_trait]
impl Journal for FaultyJournal {
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError> {
        let about = format!("record {} of deployment {deployment}", record.seq);
        let inner = &self.inner;
        self.faults.call(CallKind::Append, about, None, own!(inner, record => inner.append(deployment, &record))).await
    }

    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError> {
        let inner = &self.inner;
        self.faults.call(CallKind::Read, deployment, None, own!(inner => inner.read(deployment))).await
    }

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        let inner = &self.inner;
        self.faults.call(CallKind::Deployments, "", None, own!(inner => inner.deployments())).await
    }
}
