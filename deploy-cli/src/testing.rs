//! For tests of recovery: a process that is killed exactly when a record is durable. Feature `testing`.

use async_trait::async_trait;
use deploy_core::{
    journal::{Journal, JournalError, Record},
    model::DeploymentId,
};
use rustix::process::{Signal, getpid, kill_process};
use std::sync::Arc;

/// The variable that says after which record of a deployment's journal the process is killed.
pub const KILL_AFTER: &str = "DEPLOY_TESTING_KILL_AFTER";

/// A journal that sends SIGKILL to its own process once that record is durable, before anybody hears of it.
struct KillingJournal {
    inner: Arc<dyn Journal>,
    after: u64,
}

/// The journal, or one that kills where [`KILL_AFTER`] says so.
pub(crate) fn journal(inner: Arc<dyn Journal>) -> Arc<dyn Journal> {
    match std::env::var(KILL_AFTER).ok().and_then(|after| after.parse().ok()) {
        Some(after) => Arc::new(KillingJournal { inner, after }),
        None => inner,
    }
}

#[async_trait]
impl Journal for KillingJournal {
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError> {
        self.inner.append(deployment, record).await?;
        if record.seq == self.after {
            // nothing is left of us to say that it failed
            let _ = kill_process(getpid(), Signal::KILL);
        }
        Ok(())
    }

    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError> {
        self.inner.read(deployment).await
    }

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        self.inner.deployments().await
    }
}
