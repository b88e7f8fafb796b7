use super::{Journal, JournalError, Record};
use crate::model::DeploymentId;
use async_trait::async_trait;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A journal that ends with its process: for tests, and for programs that need no recovery.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    records: Mutex<BTreeMap<DeploymentId, Vec<Record>>>,
}

impl MemoryJournal {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<DeploymentId, Vec<Record>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError> {
        let mut all = self.records();
        let records = all.entry(deployment).or_default();
        let expected = records.len() as u64 + 1;
        if record.seq != expected {
            return Err(JournalError::OutOfOrder { expected, found: record.seq });
        }
        records.push(record.clone());
        Ok(())
    }

    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError> {
        Ok(self.records().get(&deployment).cloned().unwrap_or_default())
    }

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        Ok(self.records().keys().copied().collect())
    }
}
