use crate::folder::Locked;
use async_trait::async_trait;
use deploy_core::{
    journal::{FileJournal, Journal, JournalError, Record},
    model::DeploymentId,
};
use std::{io, path::PathBuf};

/// A [`FileJournal`] in the folder of a [`FolderLease`](crate::FolderLease): a record under an older fence than the newest
/// is refused, so that a deployer that was frozen past its lease can't write between the records of its successor.
pub struct FolderJournal {
    folder: PathBuf,
    records: FileJournal,
}

impl FolderJournal {
    /// Keeps its files in the folder's `journal`.
    ///
    /// # Errors
    /// Where that can't be made.
    pub fn new(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        let records = FileJournal::new(folder.join("journal"))?;
        Ok(Self { folder, records })
    }
}

#[async_trait]
impl Journal for FolderJournal {
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError> {
        let locked = Locked::open(&self.folder).await.map_err(|error| JournalError::Unreachable(error.into()))?;
        let (ours, newest) = (record.fence, locked.keeper.newest);
        if ours < newest {
            return Err(JournalError::Fenced { ours, newest });
        }
        // the lock is held until the record is durable
        self.records.append(deployment, record).await
    }

    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError> {
        self.records.read(deployment).await
    }

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        self.records.deployments().await
    }
}
